"""Command lines drawn at random from the configs' own schema: what is refused is a few lines, what is not trains."""

import contextlib
import io
import types
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import jax
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxmarl_comm import api, runner
from jaxmarl_comm.cli import train_main
from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.config import Config, ConfigError, as_config, build_config, differing_keys
from jaxmarl_comm.dotted import flatten, merge
from jaxmarl_comm.envs import ENVS, env_class
from jaxmarl_comm.evolution_config import EvolutionConfig
from jaxmarl_comm.net_config import NetConfig
from jaxmarl_comm.registry import ALGORITHMS, config_class
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.settings import MAX_MISTAKES, Settings, read_yaml
from jaxmarl_comm.suggest import LONGEST_LINE

WILD = [
    *("null", "true", "false", "", "''", "x", "none", "é" * 5_000, "1e3", "line\nbreak", "\x00", "\ud800", "--", "-1"),
    *("[]", "[[]]", "[a]", "{}", "{a: 1}", "{1: 2}", "[" * 2_000, "{name: x}", "{preset: []}", "&a [*a]", "!!python/x"),
    *("0", "1", str(2**31 - 1), str(2**31), str(2**32), str(2**63), str(10**30), "9" * 5_000, "-0.5", "1e-300"),
    *("1e-30", "1e30", "1e300", ".inf", ".nan", "2024-13-45", "0x", "../x", "runs/x:0", "x/y:-1"),
]
"""What is typed behind a setting, and can hardly be meant."""
STRAY = ["x", "-x", "---", "--=1", "--.", "--env.", "--comm..x=1", "--no-", "--é=1", "--\x00=1", "--lr", "--[=1"]
EXTREME = 100.0
SMALL = {
    "num_seeds": 1,
    "num_iters": 1,
    "num_envs": 4,
    "rollout_len": 3,
    "env.max_cycles": 3,
    "hidden_dim": 8,
    "eval_interval": 1,
    "eval_episodes": 4,
    "eval_episodes_reference": 2,
    "num_minibatches": 2,
    "ppo_epochs": 1,
    "batch_size": 6,
    "buffer_size": 48,
    "learning_delay": 0,
    "replay_ratio": 1.0,
}
"""One iteration, in those of these settings that an algorithm has."""


def plausible(kind):
    """Values of an annotated type that may well be right."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is Annotated:
        return plausible(inner[0])
    if origin in (Union, types.UnionType):
        return st.one_of(map(plausible, inner))
    if kind is type(None):
        return st.none()
    if origin is list:
        return st.just([[0, 1], [1, 0]]) if get_origin(inner[0]) is list else st.lists(plausible(inner[0]), max_size=3)
    if origin is dict:
        names = st.sampled_from(["agent", "listener", "good", "adversary", ""])
        of_names = [["agent_0", "agent_1"], {"hidden": [4]}, {"lr": 0.01}, {"channel": False}, "stay", "random"]
        return st.dictionaries(names, st.sampled_from(of_names), max_size=2)
    if issubclass(kind, Settings):
        return st.fixed_dictionaries({}, optional={name: plausible(each) for name, each in hints(kind).items()})
    numbers = st.one_of(st.floats(0, 1), st.floats(0, 3), st.just(1e-3))
    return {bool: st.booleans(), int: st.integers(0, 5), float: numbers, str: st.text(max_size=5)}[kind]


def kinds(algorithm, task):
    """Dotted key -> type, of all settings."""
    sections = {"comm": CommConfig, "net": NetConfig, "evolution": EvolutionConfig}
    own = {f"env.{field.name}": get_type_hints(env_class(task))[field.name] for field in fields(env_class(task))}
    for section, cls in sections.items():
        own |= {f"{section}.{name}": kind for name, kind in hints(cls).items()}
    return own | {name: kind for name, kind in hints(config_class(algorithm)).items() if name not in (*sections, "env")}


def hints(cls):
    return {name: kind for name, kind in get_type_hints(cls, include_extras=True).items() if name in cls.model_fields}


@st.composite
def command_lines(draw):
    """(what a config file says, the words of a command line), most of it plausible."""
    algorithm, task = draw(st.sampled_from([*ALGORITHMS, "mappo", "mappo"])), draw(st.sampled_from(list(ENVS)))
    known = kinds(algorithm, task)
    changes = {"algorithm": algorithm, "env.name": task, "comm.preset": draw(st.sampled_from(list(PRESETS)))}
    changes |= small(algorithm)
    for name in draw(st.lists(st.sampled_from(list(known)), max_size=5, unique=True)):
        changes[name] = draw(plausible(known[name]))
    in_file = draw(st.sets(st.sampled_from(list(changes))))
    words = [f"--{name}={typed(value)}" for name, value in changes.items() if name not in in_file]
    if draw(st.booleans()):
        wild = draw(st.one_of(st.sampled_from(WILD), st.text(max_size=20)))
        words.append(f"--{draw(st.sampled_from([*known, 'env', 'comm', 'net']))}={wild}")
    if draw(st.integers(0, 9)) == 0:
        words.append(draw(st.one_of(st.sampled_from(STRAY), st.text(max_size=10))))
    if draw(st.integers(0, 9)) == 0:
        name = draw(st.sampled_from(list(known)))
        words.append(f"--{name[: len(name) // 2]}{name[len(name) // 2 + 1 :]}=1")
    return merge({}, {name: changes[name] for name in in_file}), words


def small(algorithm):
    """The settings of SMALL that it has."""
    known = config_class(algorithm).model_fields
    return {name: value for name, value in SMALL.items() if name.partition(".")[0] in known}


def typed(value):
    """A value as it is typed."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")


def train(in_file, words, folder):
    """(exit status, standard error) of such a command, whose run goes into this new folder."""
    file = folder.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(in_file))
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        try:
            status = train_main(["--config", str(file), "--run-dir", str(folder), *words])
        except SystemExit as end:
            status = end.code
    return status, errors.getvalue()


class Fuzz:
    """Command lines given to the command itself, but that nothing is trained; what is accepted is kept."""

    def __init__(self, where: Path) -> None:
        self.where, self.count, self.refused, self.accepted = where, 0, 0, []

    def __call__(self, line) -> None:
        self.count += 1
        folder = self.where / str(self.count)
        status, errors = train(*line, folder)
        if status == 0 and folder.exists():
            cfg = RunFolder.open(folder)[1]
            self.accepted.append((*line, cfg.algorithm))
            assert not errors and not differing_keys(build_config(read_yaml(cfg.to_yaml())), cfg)
        elif status:  # or --help
            self.refused += 1
            check_told(status, errors)
            assert not folder.exists()


def check_told(status, errors):
    """One short line for each mistake."""
    lines = errors.split("\n")
    assert status in (1, 2) and lines[-1] == "" and 2 <= len(lines) <= MAX_MISTAKES + 3, errors
    assert all(line.startswith("error: ") and len(line) < LONGEST_LINE + 30 for line in lines[:-1]), errors


@pytest.fixture
def fuzz(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "train", lambda cfg, folder: None)
    return Fuzz(tmp_path)


def run(fuzz, count, **options):
    """So many command lines."""
    quiet = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

    @settings(max_examples=count, **quiet, **options)
    @given(command_lines())
    def draw(line):
        fuzz(line)

    draw()


@pytest.mark.long
def test_what_is_refused_is_told_in_short_lines(fuzz):
    run(fuzz, 250, derandomize=True)
    assert len(fuzz.accepted) > 15 and fuzz.refused > 15


@settings(max_examples=50, deadline=None, database=None, derandomize=True)
@given(
    st.integers(0, 2_000), st.sampled_from(["{", "[", ":", "\n", "&a", "*a", "- ", "\t", "'", "\0"]), st.integers(0, 2)
)
def test_any_text_is_yaml_or_one_line(where, what, cut):
    text = Config().to_yaml()
    where = where % len(text)
    try:
        as_config(read_yaml(text[:where] + what + text[where + cut :]))
    except ConfigError as error:
        assert all("\n" not in line and len(line) <= LONGEST_LINE for line in error.mistakes)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "a: " + "9" * 5_000, "2024-13-45", "? [a]\n: 1", "a: &a [*a]", "{a: 1, a: 2}"]
)
def test_what_is_no_config_is_one_line(text):
    with pytest.raises(ConfigError) as error:
        as_config(read_yaml(text))
    assert "\n" not in str(error.value) and len(str(error.value)) <= LONGEST_LINE


@pytest.mark.slow
def test_what_is_accepted_trains(fuzz, monkeypatch, tmp_path, quick_evaluation):
    """2,000 command lines, other ones each time; 50 of the accepted are trained, and evaluated in short."""
    run(fuzz, 2_000)
    print(f"{fuzz.count} command lines, {len(fuzz.accepted)} accepted, {fuzz.refused} refused", flush=True)
    monkeypatch.setattr(api, "train", runner.train)
    trained = []
    for k, (in_file, words, algorithm) in enumerate(fuzz.accepted[:: max(1, len(fuzz.accepted) // 60)]):
        folder = tmp_path / f"trained{k}"
        sizes = [f"--{name}={value}" for name, value in small(algorithm).items()]
        status, errors = train(in_file, [*words, *sizes], folder)
        jax.clear_caches()
        if folder.exists():
            trained.append(words)
            assert status == 0 or is_beyond_measure(folder, errors), (in_file, words, errors)
        print(f"{len(trained)} trained: {errors.strip() or 'well'}", flush=True)
    assert len(trained) >= 50


def is_beyond_measure(folder, errors):
    """Whether training diverged, by a number beyond all measure."""
    cfg = RunFolder.open(folder)[1]
    numbers = [value for _, value in flatten(cfg.model_dump()) if isinstance(value, float)]
    return errors.startswith("error: training diverged") and max(numbers) > EXTREME
