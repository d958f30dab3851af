"""What README and docs/ show is done, in folders of its own.

Executed: every Python block, those of a page one after the other in one module; and every command of the shell
blocks, by the function behind it. Trainings are small, and evaluated where a page is about that. A command trains if
its page goes on with that run; if not, it ends with a run folder of its config, as each is another program, which takes
long to compile. `.ci/run` does what pip and pytest are asked for, and trains by a command.

Only parsed: commands in running text, where RUN or [...] stand for anything. Each reads all that it is given, with its
config, task and study, up to the function that would begin to work, which must take what it is called with.
"""

import inspect
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import jax
import pytest

from jaxmarl_comm import api, default_cfg, runner
from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.cli import QUICK_TEST
from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.commands import COMMANDS
from jaxmarl_comm.envs import ENVS
from jaxmarl_comm.registry import ALGORITHMS
from learners import shapes_of
from pages import PAGES, blocks, command, first_cells, headings, inline, links, named, section, shell_lines
from runs import TINY, call

SMALL = {**QUICK_TEST, **TINY, "num_iters": 2, "learning_delay": 100, "eval_interval": 2}
EVALUATED = ("README", "add-a-task", "metrics")
ELSEWHERE = ("pip install", "pytest")  # what .ci/run does
STANDS_FOR = {
    "NAME.yaml": "mappo_ref.yaml",
    "OTHER_RUN/control": "runs/words/control",
    "RUN": "runs/words",
    "DIR": "runs/words",
    "PATH": sys.executable,
    "N": "7",
}
BEGIN = (  # what commands call once they have read what they were given
    *(f"api:{name}" for name in api.__all__ if name != "default_cfg"),
    *(
        f"benchmark.command:benchmark_{name}"
        for name in ("env", "scaling", "channel", "networks", "agilerl", "evolution")
    ),
    *("envs.mpe.parity.command:compare", "ladders.command:compute", "ladders.microgrid:compute", "about:examine"),
    *("tracking.tensorboard:export_tensorboard", "results.collect:collect"),
    "page.making:report_on",
)
TOLD = (  # what else than the page's own run tells something
    {"comm.preset": "gumbel", "comm.signalling_coef": 0.1, "comm.listening_coef": 0.1},
    {"env.name": "simple_spread_v3", "env.terminate_on_success": True, "target_kl": 0.02, "log_agent_metrics": True},
    {"algorithm": "matd3", "env.continuous_actions": True},
)
of_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def keep(block):
    """A block that begins with the name of a file is that file."""
    first = block.text.splitlines()[0]
    if first.startswith("# ") and first.endswith(".py"):
        Path(first.removeprefix("# ")).write_text(block.text)


def small(cfg):
    of_algorithm = {name: value for name, value in SMALL.items() if name in type(cfg).model_fields}
    return cfg.replace(of_algorithm, num_seeds=min(cfg.num_seeds, 2))


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """An empty folder, small trainings, and registries that are afterwards as they were."""
    monkeypatch.chdir(tmp_path)
    as_config, yardsticks = api.as_config, runner.Yardsticks
    monkeypatch.setattr(api, "as_config", lambda cfg: small(as_config(cfg)))
    monkeypatch.setattr(runner, "Yardsticks", lambda cfg, *rest: yardsticks(small(cfg), *rest))
    registries = {id(of): (of, dict(of)) for of in (ENVS, ALGORITHMS, PRESETS)}
    yield
    for of, before in registries.values():
        of.clear()
        of.update(before)


@pytest.mark.long
@of_pages
def test_python_blocks_run(page, monkeypatch, request):
    if page.stem not in EVALUATED:
        request.getfixturevalue("quick_evaluation")
    module = ModuleType(page.stem.replace("-", "_"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks(page, "python"):
        keep(block)
        exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), module.__dict__)
    if page.stem == "metrics":
        assert_documented(page, module.result)


@pytest.mark.long
@of_pages
def test_shell_blocks_run(page, capsys, monkeypatch, quick_evaluation):
    train, text = api.train, page.read_text(encoding="utf-8")
    for block in blocks(page, "python"):
        keep(block)
    monkeypatch.setattr(api, "train", lambda cfg, folder: text.count(str(folder.path)) > 1 and train(cfg, folder))
    for line in shell_lines(page):
        if not line.text.startswith(ELSEWHERE):
            name, words = command(line.text)
            assert call(main_of(name), words, capsys) == (0, ""), line


@of_pages
def test_commands_in_running_text_are_understood(page, capsys, monkeypatch):
    begun = []
    for where in BEGIN:
        module, name = where.split(":")
        own = import_module(f"jaxmarl_comm.{module}")
        monkeypatch.setattr(own, name, stand_in(getattr(own, name), begun))
    for code in inline(page):
        if (given := command(code.text)) and given[0] != "--help":
            begun.clear()
            status, error = call(main_of(given[0]), map(meant, given[1]), capsys)
            assert not status and not error, (str(code), error)
            assert begun or given[0] == "list", str(code)


@of_pages
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, heading = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), link
        assert not heading or heading in headings(there), link


def main_of(name):
    """The function of a command. `scripts/` has most of them."""
    module, function, _ = COMMANDS[name]
    return getattr(import_module(f"jaxmarl_comm.{module}"), function)


def meant(word):
    """A word of a command in running text, with something in the place of what stands for anything."""
    bare = word.strip("[]")
    return STANDS_FOR.get(bare, bare)


def stand_in(function, begun):
    """A function of the same signature that only notes that it was called."""
    signature = inspect.signature(function)

    def note(*arguments, **options):
        signature.bind(*arguments, **options)
        begun.append(function.__name__)
        return ()

    return note


def assert_documented(page, result):
    """What a run writes is on the page, and its tables have a row for nothing else."""
    written = {name for row in result.metrics for name in row}.union(*map(told_by, TOLD))
    of_all, of_agents = ({name for name in written if ("/" in name) == each} for each in (False, True))
    assert first_cells(section(page, "metrics.jsonl")) - {"reward/AGENT"} == of_all
    assert {name.split("/")[0] for name in of_agents} <= of_all | {"reward"}
    assert first_cells(section(page, "evaluation.json")) == set(result.evaluation)
    values_and_agents = {name for name in keys(result.evaluation) if name[0].isdigit() or name[-1].isdigit()}
    assert keys(result.evaluation) - values_and_agents <= named(section(page, "evaluation.json"))


def told_by(settings):
    """Names of what an update of such a run tells."""
    cfg = small(default_cfg().replace(settings))
    learner = make_algorithm(cfg, cfg.make_env())
    return shapes_of(lambda key: learner.update(learner.init(key))[1], jax.random.key(0))


def keys(found):
    """Of dictionaries in dictionaries."""
    if not isinstance(found, dict):
        return set()
    return set(found).union(*map(keys, found.values()))
