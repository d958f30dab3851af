"""What tests share: programs that compile quickly, and a cache of them."""

import os
import tempfile

import jax
from jax._src import compiler

# XLA's older generator of code for CPUs compiles in half the time. jax has no public setting for all programs at once.
OLDER_GENERATOR = ("xla_cpu_use_fusion_emitters", False)
FLAGS = os.environ.get("XLA_FLAGS", "")
usual_options = compiler.get_compile_options


def quick_options(*args, **kwargs):
    options = usual_options(*args, **kwargs)
    options.env_option_overrides = [*options.env_option_overrides, OLDER_GENERATOR]
    return options


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
    """Most tests compile more than they run: they do it in a quarter of the time, in exchange for slower programs.

    Those marked `optimised`, and the commands that they start, run what users run.
    """
    quick = item.get_closest_marker("optimised") is None
    jax.config.update("jax_disable_most_optimizations", quick)
    compiler.get_compile_options = quick_options if quick else usual_options
    jax.devices()  # XLA has read the flags of this process: what follows is for those that it starts
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(quick))
    os.environ["XLA_FLAGS"] = FLAGS + " --{}={}".format(*OLDER_GENERATOR) * quick
