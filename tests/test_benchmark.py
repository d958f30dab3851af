"""`scripts/benchmark.py` measures and prints what it says; how fast that is, no test can know."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.benchmark import evolving, training, versus_agilerl
from jaxmarl_comm.benchmark.command import SIZES, main
from jaxmarl_comm.benchmark.measure import our_program, random_actions, random_indices, scan_length
from jaxmarl_comm.benchmark.versus_agilerl import Trained
from jaxmarl_comm.envs import make_env
from runs import EVOLVING, TINY

QUICK = ["--turns", "1", "--seconds", "0"]
SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_env_prints_every_side_and_their_ratios(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jaxmarl", None)  # as if it were not installed
    file = tmp_path / "figures.json"
    assert main(["env", "simple_push_v3", "--sizes", "1", "3", *QUICK, "--json", str(file)]) == 0
    head, absent, columns, *lines = capsys.readouterr().out.splitlines()
    assert "medians of 1 turns" in head and absent == "JaxMARL is not installed here" and "ours / mpe2" in columns
    assert [line.split()[:2] for line in lines] == [["simple_push_v3", "1"], ["simple_push_v3", "3"]]
    assert all(line.split()[4] == "-" for line in lines)
    for row in json.loads(file.read_text())["rows"]:
        assert row["ratios"]["mpe2"] == pytest.approx(row["rates"]["ours"] / row["rates"]["mpe2"])
        assert row["compile_seconds"]["ours"] > 0


def test_alone_and_continuous(capsys):
    assert main(["env", "simple_v3", "--sizes", "2", *QUICK, "--alone", "--continuous"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[3:7] == ["-"] * 4


class Peer:
    """What is asked of one of JaxMARL's environments."""

    agents = ("agent_0", "agent_1")

    def action_space(self, agent):
        return SimpleNamespace(n=5, shape=(5,))

    def reset(self, key):
        return {"agent_0": jnp.zeros(2)}, jnp.zeros(())

    def step(self, key, state, actions):
        obs = {"agent_0": jnp.full(2, state)}
        return obs, state + 1, {agent: actions[agent].sum() * 1.0 for agent in self.agents}, {}, {}


@pytest.mark.parametrize("continuous", [False, True])
def test_jaxmarl_is_measured_where_it_is_installed(continuous, capsys, monkeypatch):
    registration = SimpleNamespace(registered_envs=["MPE_simple_v3"])
    jaxmarl = SimpleNamespace(registration=registration, make=lambda name, action_type: Peer())
    monkeypatch.setitem(sys.modules, "jaxmarl", jaxmarl)
    arguments = ["--continuous"] if continuous else []
    assert main(["env", "simple_v3", "simple_line_v1", "--sizes", "2", *QUICK, *arguments]) == 0
    has_it, has_not = (line.split() for line in capsys.readouterr().out.splitlines()[-2:])
    assert float(has_it[6].replace(",", "")) > 0 and has_not[4] == has_not[6] == "-"


def test_scaling_prints_each_team(capsys):
    assert main(["scaling", "--agents", "2", "4", "--num-envs", "2", *QUICK]) == 0
    teams = [line.split() for line in capsys.readouterr().out.splitlines()[-2:]]
    assert [(team[0], team[1]) for team in teams] == [("2", "6"), ("4", "28")]


def test_networks_and_presets_are_compared_with_the_first(capsys, monkeypatch, tmp_path):
    """Of a machine on which all take 2 s, and a second or more longer what is not as in the default config."""

    def trainer(cfg):
        asked = (cfg.env.name, cfg.hidden_dim)
        assert asked == (("simple_v3", 16) if cfg.comm.preset == "tarmac" else ("simple_line_v1", 64))
        longer = {"gru": 1, "lstm": 2, "none": 0}
        seconds = 2.0 + longer[cfg.net.memory] + 2 * longer[cfg.net.critic_memory] + (cfg.comm.preset == "gumbel")
        return lambda: seconds - (cfg.net.precision == "bfloat16"), 0.5

    monkeypatch.setattr(training, "trainer", trainer)
    arguments = ["--env", "simple_v3", "--hidden-dim", "16", "--preset", "tarmac", "--turns", "2"]
    assert main(["networks", *arguments, "--json", str(tmp_path / "rows.json")]) == 0
    said = capsys.readouterr().out
    assert "mappo, 16 units, channel tarmac" in said
    ratios = {"no memory": 1, "gru": 1.5, "lstm": 2, "gru, critics too": 2.5, "bfloat16": 0.5}
    rows = [line.rsplit(maxsplit=4) for line in said.splitlines()[3:]]
    assert {name.strip(): float(ratio) for name, _, ratio, *_ in rows} == ratios
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert {row["networks"]: row["ratio"] for row in rows} == ratios
    assert {(row["task"], row["preset"], row["hidden_dim"]) for row in rows} == {("simple_v3", "tarmac", 16)}
    assert main(["channel", "none", "gumbel", "none", "--env", "simple_line_v1"]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()[2:]] == ["1.00", "1.50", "1.00"]


@pytest.mark.long
def test_variants_are_trained():
    costs = training.measure_variants(
        default_cfg().replace(TINY), [("none", {}), ("gru", {"net.memory": "gru"})], turns=1
    )
    assert [cost.variant for cost in costs] == ["none", "gru"]
    assert costs[0].ratio == 1 and all(cost.rate > 0 and cost.ratio > 0 for cost in costs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["networks", "--env", "simple_psh_v3"], "unknown task 'simple_psh_v3', did you mean 'simple_push_v3'?"),
        (["networks", "--preset", "tarmack"], "unknown preset 'tarmack', did you mean 'tarmac'?"),
        (["networks", "--hidden-dim", "0"], "--hidden-dim must be at least 1"),
        (["env", "simple_psh_v3"], "unknown task 'simple_psh_v3', did you mean 'simple_push_v3'?"),
        (["env", "--sizes", "0"], "--sizes must be at least 1"),
        (["env", "--sizes", "4", "3", "--devices", "2"], "--devices 2 cannot share 3 environments in equal numbers"),
        (["scaling", "--num-envs", "0"], "--num-envs must be at least 1"),
        (["env", "--json", "nowhere/figures.json"], "there is no folder nowhere"),
        (["speed"], "invalid choice: 'speed'"),
        (["agilerl", "--python", "no/python"], "there is no Python no/python"),
        (["evolution", "--python", "no/python"], "there is no Python no/python"),
        (["evolution", "--python", sys.executable, "--steps", "0"], "--steps must be at least 1"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    error = capsys.readouterr().err
    assert end.value.code == 2 and message in error and error.count("\n") == 1


def test_agilerl_is_run_by_its_own_python_with_our_settings(capsys, monkeypatch, tmp_path):
    """Here a program that says how it was called, and that 20,000 steps took it 40 seconds."""
    peer = tmp_path / "python"
    said = '{"seconds": [9, 40], "generations": [[-90], [-60]]}'
    peer.write_text(f"#!/bin/sh\necho \"$2\" > {tmp_path}/given\necho '{said}'\n")
    peer.chmod(0o755)
    monkeypatch.setattr(versus_agilerl, "our_training", lambda cfg, steps: (lambda: Trained(10_000.0, -20.0), 3.0))
    assert main(["agilerl", "--python", str(peer), "--steps", "20000", "--turns", "2"]) == 0
    ours, theirs, ratio = capsys.readouterr().out.splitlines()[-3:]
    assert ours.split()[1:] == ["10,000", "steps", "per", "second,", "return", "-20.00"]
    assert (
        theirs.split()[1:] == ["500", "steps", "per", "second,", "return", "-30.00"] and "ours / AgileRL 20.0" in ratio
    )
    given = json.loads((tmp_path / "given").read_text())
    of_config = {"num_envs": 8, "batch_size": 32, "learn_step": 96}
    assert given == {"steps": 20_000, **of_config, "threads": 1, "members": 1, "evo_steps": 2_000}
    peer.write_text("#!/bin/sh\necho no agilerl >&2; exit 1\n")
    assert main(["agilerl", "--python", str(peer)]) == 1
    assert "cannot train AgileRL's agent: 'no agilerl'" in capsys.readouterr().err


def race_with(monkeypatch, tmp_path, ours):
    """AgileRL's population is a program that says how it was called and tells three generations; ours is as given."""
    peer = tmp_path / "python"
    said = '{"seconds": [10, 20, 30], "generations": [[-90, -80], [-70, -50], [-60, -99]]}'
    peer.write_text(f"#!/bin/sh\necho \"$2\" > {tmp_path}/given\necho '{said}'\n")
    peer.chmod(0o755)
    levels = []

    def train_until(cfg, level):
        levels.append(level)
        return ours, 3.5

    monkeypatch.setattr(evolving, "train_until", train_until)
    monkeypatch.setattr(evolving, "standing_still", lambda env, seed: -33.25)
    return ["evolution", "--python", str(peer), "--json", str(tmp_path / "found.json")], levels


OURS = [evolving.Reached(-31.0, 0.25, 400), evolving.Reached(-24.0, 0.5, 800)]


def test_populations_race_to_the_best_that_agilerl_has(capsys, monkeypatch, tmp_path):
    command, levels = race_with(monkeypatch, tmp_path, OURS)
    assert main(command) == 0
    level, theirs, ours, ratio = capsys.readouterr().out.splitlines()[-4:]
    assert levels == [-25.0] and level == "as good as -25.00; a team that stands still returns -33.25"
    assert "-25.00 after     20.0 s, 20,000 steps" in theirs and "-24.00 after      0.5 s, 800 steps" in ours
    assert ratio.startswith("AgileRL / ours 40.0;") and ratio.endswith("with that, 5.0")
    given = json.loads((tmp_path / "given").read_text())
    assert given["members"] == 4 and given["steps"] == 100_000 and given["evo_steps"] == 10_000
    found = json.loads((tmp_path / "found.json").read_text())["rows"][0]
    assert found["ratio"] == 40 and found["ratio_with_compiling"] == 5 and found["still"] == -33.25
    assert [reached["returns"] for reached in found["theirs"]] == [-40, -25, -30]


def test_populations_race_to_a_level_that_one_may_not_reach(capsys, monkeypatch, tmp_path):
    command, levels = race_with(monkeypatch, tmp_path, OURS)
    assert main([*command, "--level", "-24"]) == 0
    theirs, ours, ratio = capsys.readouterr().out.splitlines()[-3:]
    assert levels == [-24.0] and "never in     30.0 s, 30,000 steps of each member: -25.00 at its best" in theirs
    assert "-24.00 after      0.5 s" in ours and "AgileRL / ours more than 60.0;" in ratio
    assert ratio.endswith("with that, more than 7.5")
    assert main([*command, "--level", "-20"]) == 0
    ours = capsys.readouterr().out.splitlines()[-1]
    assert "ours" in ours and "never in      0.5 s, 800 steps of each member: -24.00 at its best" in ours


def test_who_stands_still_is_as_far_as_chance_put_the_goal():
    """Both are anywhere in a square of side 2, and the square of their distance counts in each of 25 steps."""
    env = make_env("simple_v3", continuous_actions=True)
    assert evolving.standing_still(env, 0) == pytest.approx(-25 * 4 / 3, rel=0.03)


@pytest.mark.long
def test_our_population_is_timed_until_it_is_as_good():
    cfg = default_cfg().replace({**TINY, **EVOLVING, "env.name": "simple_v3", "comm.preset": "none"})
    history, compile_seconds = evolving.train_until(cfg, -1e6)
    assert [reached.steps for reached in history] == [2 * 4 * 25] and 0 < history[0].seconds < compile_seconds
    history, _ = evolving.train_until(cfg, 1e6)
    assert history[-1].steps == cfg.env_steps and len(history) == 3


def test_the_loop_plays_random_episodes_and_starts_them_again():
    env = make_env("simple_reference_v3", max_cycles=10)
    program = our_program(env, 3, length=25)
    assert program.steps == 75
    _, state, obs, total = jax.tree.map(lambda x: x[0], program.run(program.carry))
    assert state.t == 5 and obs["agent"].shape == (3, 2, 21)
    assert (total < 0).all() and len(np.unique(total)) > 3


def test_devices_that_are_not_there_are_one_line(capsys, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 1)  # of an accelerator, of which cores make no more
    monkeypatch.setattr(jax.config, "update", lambda name, value: None)
    assert main(["env", "simple_v3", "--sizes", "4", "--devices", "2", *QUICK]) == 1
    assert capsys.readouterr().err == "error: --devices is 2, but there are 1\n"


@pytest.mark.long
def test_devices_share_the_environments():
    """In a process of its own, for cores are made devices when jax starts."""
    asked = ["env", "simple_v3", "--sizes", "6", "--devices", "2", "--alone", *QUICK]
    done = subprocess.run([sys.executable, SCRIPTS / "benchmark.py", *asked], capture_output=True, text=True)
    _, shared, _, line = done.stdout.splitlines()
    assert shared == "shared among 2 devices" and line.split()[:2] == ["simple_v3", "6"] and not done.stderr


def test_random_actions_are_uniform():
    drawn = np.asarray(random_indices(jax.random.key(0), 20_000, [5, 50]))
    for column, size in zip(drawn.T, (5, 50), strict=True):
        counts = np.bincount(column, minlength=size)
        assert len(counts) == size and abs(counts / len(drawn) - 1 / size).max() < 0.01
    vectors = random_actions(make_env("simple_world_comm_v3", continuous_actions=True), jax.random.key(0), 4)
    assert {group: x.shape for group, x in vectors.items()} == {
        "leadadversary": (4, 1, 9),
        "adversary": (4, 3, 5),
        "agent": (4, 2, 5),
    }


def test_loops_are_whole_episodes():
    assert [scan_length(size) for size in SIZES] == [10_000, 1550, 75, 50]
