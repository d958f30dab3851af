"""What tests share."""

import os
import tempfile

import jax


def pytest_configure(config):
    """Workers, and the commands that tests start, share one cache of compiled programs, which lives as long as they."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:  # a worker's, from the process that started it; or the user's own
        return
    folder = tempfile.TemporaryDirectory(prefix="compiled-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    settings = {"jax_compilation_cache_dir": folder.name, "jax_persistent_cache_min_compile_time_secs": 0.1}
    for name, value in settings.items():
        os.environ[name.upper()] = str(value)
        jax.config.update(name, value)


def pytest_runtest_setup(item):
    """Most tests compile more than they run: they do it in half the time, in exchange for slower programs.

    Those marked `optimised` run what users run.
    """
    jax.config.update("jax_disable_most_optimizations", item.get_closest_marker("optimised") is None)
