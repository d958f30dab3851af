"""What tests share."""

import jax


def pytest_runtest_setup(item):
    """Most tests compile more than they run: they do it in half the time, in exchange for slower programs.

    Those marked `optimised` run what users run.
    """
    jax.config.update("jax_disable_most_optimizations", item.get_closest_marker("optimised") is None)
