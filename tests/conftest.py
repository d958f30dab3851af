"""What tests share: programs that compile quickly, and a cache of them."""

import gc
import os
import signal
import tempfile

import jax
import numpy as np
import pytest
from flax.core.scope import Scope
from jax._src import compiler

# XLA's older generator of code for CPUs compiles in a third of the time, and in an eighth less where it does not cut
# programs in parts for several threads. USUAL is what it does unless told; jax has no public setting for some programs.
QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
USUAL = (("xla_cpu_use_fusion_emitters", True), ("xla_cpu_parallel_codegen_split_count", 32))
LONGEST = "run parity channel study exploit frozen recurrence faults critics crossplay teams nets evaluation"
options_of_process = compiler.get_compile_options
param_of_flax = Scope.param


def usual_options(*args, **kwargs):
    options = options_of_process(*args, **kwargs)
    options.env_option_overrides = [*options.env_option_overrides, *USUAL]
    return options


def param(scope, name, init_fn, shape, *rest, **options):
    """At each use of a parameter, flax traces how it would be drawn, to compare shapes: a tenth of all tracing.

    Here it is compared with the shape that would be asked for; what is new, or does not fit, is left to flax.
    """
    if scope.has_variable("params", name) and np.shape(scope.get_variable("params", name)) == shape:
        scope.reserve(name, "params")
        return scope.get_variable("params", name)
    return param_of_flax(scope, name, init_fn, shape, *rest, **options)


def hear_signals():
    """What runs in the background, or under nohup, ignores signals, and so would the commands that tests stop."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_configure(config):
    """Workers, and the commands that tests start, compile quickly, and share one cache, which lives as long as they."""
    hear_signals()
    Scope.param = param
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK}"
    settings = {"jax_disable_most_optimizations": True, "jax_traceback_in_locations_limit": 0}
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # a worker's, from the process that started it; or the user's own
        folder = tempfile.TemporaryDirectory(prefix="compiled-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        settings |= {"jax_compilation_cache_dir": folder.name, "jax_persistent_cache_min_compile_time_secs": 0.1}
    for name, value in settings.items():
        os.environ[name.upper()] = str(value)
        jax.config.update(name, value)


def pytest_collection_modifyitems(items):
    """The files that take longest come first, so that at the end no worker is busy with one while others wait."""
    places = {f"test_{name}.py": place for place, name in enumerate(LONGEST.split())}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish():
    """Garbage is rarely looked for, and never among modules: what tracing makes lives on, and waits a fifth for it."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_runtest_setup(item):
    """Most tests compile more than they run: they do it in a sixth of the time, in exchange for slower programs.

    Those marked `optimised` run what users run.
    """
    quick = item.get_closest_marker("optimised") is None
    jax.config.update("jax_disable_most_optimizations", quick)
    compiler.get_compile_options = options_of_process if quick else usual_options


@pytest.fixture
def quick_evaluation(monkeypatch):
    """An evaluation that says only what it was asked for, and no curves: what they show is tested elsewhere."""

    def asked(cfg, *arguments, **options):
        return {"seed": cfg.seed, "episodes": cfg.eval_episodes, "message_table": None}

    monkeypatch.setattr("jaxmarl_comm.runner.evaluate_teams", asked)
    monkeypatch.setattr("jaxmarl_comm.runner.evaluation_table", str)
    monkeypatch.setattr("jaxmarl_comm.runner.plot_curves", lambda *_, **__: None)
