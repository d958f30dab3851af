"""What tests share: programs that compile quickly, and a cache of them."""

import gc
import os
import signal
import tempfile

import pytest

# XLA's older generator of code for CPUs compiles in a third of the time, and in an eighth less where it does not cut
# programs in parts for several threads.
QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
LONGEST = (
    "run docs parity channel study exploit frozen recurrence faults critics crossplay notebooks teams nets evaluation"
)


def hear_signals():
    """What runs in the background, or under nohup, ignores signals, and so would the commands that tests stop."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_configure(config):
    """Workers, and the commands that tests start, compile quickly, and share one cache, which lives as long as they.

    jax finds these settings when it is imported, which takes seconds and is for those alone who run tests.
    """
    hear_signals()
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK}"
    settings = {"jax_disable_most_optimizations": True, "jax_traceback_in_locations_limit": 0}
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # a worker's, from the process that started it; or the user's own
        folder = tempfile.TemporaryDirectory(prefix="compiled-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        settings |= {"jax_compilation_cache_dir": folder.name, "jax_persistent_cache_min_compile_time_secs": 0.1}
    for name, value in settings.items():
        os.environ[name.upper()] = str(value)


def pytest_collection_modifyitems(items):
    """The files that take longest come first, so that at the end no worker is busy with one while others wait."""
    places = {f"test_{name}.py": place for place, name in enumerate(LONGEST.split())}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish():
    """Garbage is rarely looked for, and never among modules: what tracing makes lives on, and waits a fifth for it."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_runtest_setup(item):
    """See `compile_quickly`. Those marked `optimised` run what users run."""
    from compiling import compile_quickly

    compile_quickly(item.get_closest_marker("optimised") is None)


@pytest.fixture
def quick_evaluation(monkeypatch):
    """An evaluation that says only what it was asked for, and no curves: what they show is tested elsewhere."""

    def asked(yardsticks, *arguments, **options):
        cfg = yardsticks.cfg
        return {"seed": cfg.seed, "episodes": cfg.eval_episodes, "message_table": None, "control": None}

    monkeypatch.setattr("jaxmarl_comm.runner.evaluate_teams", asked)
    monkeypatch.setattr("jaxmarl_comm.runner.evaluation_table", str)
    monkeypatch.setattr("jaxmarl_comm.runner.plot_curves", lambda *_, **__: None)
