"""All against all, and strangers: what is played, what is made of it, what is written, what is refused."""

import json
import shutil
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxmarl_comm import RunError, crossplay, default_cfg
from jaxmarl_comm.cli import crossplay_main
from jaxmarl_comm.comm.channel import Numbers
from jaxmarl_comm.crossing import payoffs
from jaxmarl_comm.crossing.competing import check_apart, duel, kinds_of
from jaxmarl_comm.crossing.entries import act_differently, learned, load_run, seeds_of
from jaxmarl_comm.crossing.familiarity import diagonal_advantage, lost_with_strangers, with_partner, with_strangers
from jaxmarl_comm.crossing.mixing import first_agents, mixed, per_agent
from jaxmarl_comm.crossing.nash import nash_average
from jaxmarl_comm.crossing.payoffs import mean_returns
from jaxmarl_comm.crossing.strangers import apart, check_messages
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.plays import evaluation_key, player
from jaxmarl_comm.nets.growth import SHAPE
from jaxmarl_comm.report import heat_map
from jaxmarl_comm.report.crossplay import crossplay_table
from learners import lively_run

pytestmark = pytest.mark.long

EPISODES = 50


# Ratings.

PAPER, ROCK, SCISSORS = range(3)
GAME = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])


def test_rock_paper_scissors_are_equals():
    found = nash_average(GAME)
    for values, expected in ((found.ratings, 0), (found.weights, 1 / 3), (found.hardest, 1 / 3)):
        np.testing.assert_allclose(values, expected, atol=1e-6)


def test_a_copy_of_paper_changes_nothing():
    """Its mean over opponents does change: rock's becomes worse, and scissors' better."""
    crowd = [PAPER, PAPER, ROCK, SCISSORS]
    copied = GAME[np.ix_(crowd, crowd)]
    assert copied.mean(axis=1)[2] < 0 < copied.mean(axis=1)[3]
    found = nash_average(copied)
    np.testing.assert_allclose(found.ratings, 0, atol=1e-6)
    np.testing.assert_allclose([found.weights[:2].sum(), *found.weights[2:]], 1 / 3, atol=1e-6)


def test_ratings_by_hand():
    """Opponents mix so that the first two entries are paid alike, (2/3, 1/3), and never use their third way."""
    returns = np.array([[0.0, 2.0, 5.0], [1.0, 0.0, 5.0], [-1.0, 1.0, 1.0]])
    found = nash_average(returns)
    np.testing.assert_allclose(found.hardest, [2 / 3, 1 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(found.weights, [1 / 3, 2 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(found.ratings, [2 / 3, 2 / 3, -1 / 3], atol=1e-6)


# Familiarity.

MEETINGS = np.array([[10.0, 1.0, 3.0], [2.0, 20.0, 5.0], [6.0, 4.0, 30.0]])


def test_partners_and_strangers_by_hand():
    assert with_partner(MEETINGS)["of_each_seed"] == [10, 20, 30]
    strangers = with_strangers(MEETINGS)
    assert strangers["mean"] == 21 / 6 and strangers["of_each_seed"] == [12 / 4, 12 / 4, 18 / 4]
    assert lost_with_strangers(MEETINGS)["of_each_seed"] == [7, 17, 25.5]
    advantage = diagonal_advantage(MEETINGS)
    assert advantage["of_each_seed"] == [8, 16.5, 25] and advantage["mean"] == pytest.approx(20 - 21 / 6)


def test_intervals_are_the_jackknife_s():
    """Without a seed, the others' two meetings are left; three pseudo-values make the interval."""
    pseudo = 3 * 21 / 6 - 2 * np.array([9 / 2, 9 / 2, 3 / 2])
    half = 4.302653 * pseudo.std(ddof=1) / 3**0.5  # Student's t at 97.5 %, two degrees of freedom
    found = with_strangers(MEETINGS)
    assert pseudo.mean() == found["mean"]
    assert (found["low"], found["high"]) == pytest.approx((21 / 6 - half, 21 / 6 + half))


def test_two_seeds_have_no_interval_and_one_has_no_stranger():
    assert lost_with_strangers(MEETINGS[:2, :2])["low"] is None
    assert diagonal_advantage(MEETINGS[:2, :2])["mean"] == 13.5
    assert diagonal_advantage(MEETINGS[:1, :1])["mean"] is None


# Sides that compete.


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Name -> run folder, whose seeds differ, of parameters that were never trained."""
    folder = tmp_path_factory.mktemp("runs")
    deceive = {"env.name": "simple_adversary_v3", "num_seeds": 3}
    tell = {"env.name": "simple_speaker_listener_v4", "num_seeds": 2}
    return {
        "deceive": lively_run(folder / "deceive", **deceive),
        "slower": lively_run(folder / "slower", **deceive | {"lr": 1e-4, "seed": 1, "num_seeds": 1}),
        "grouped": lively_run(folder / "grouped", **deceive | {"agent_groups": "agent", "net.memory": "gru"}),
        "silent": lively_run(folder / "silent", **deceive | {"comm.preset": "none", "comm.route": "all"}),
        "tell": lively_run(folder / "tell", **tell),
        "wider": lively_run(folder / "wider", **tell | {"comm.message_dim": 4}),
        "alone": lively_run(folder / "alone", **tell | {"num_seeds": 1}),
        "single": lively_run(folder / "single", **{"env.name": "simple_v3", "comm.preset": "none"}),
        "overheard": lively_run(folder / "overheard", **deceive | {"comm.route": "all"}),
    }


@pytest.fixture(scope="module")
def crossed(runs, tmp_path_factory):
    """Two runs that one program can act for, crossed; and how often a program was made."""
    made, play = [], payoffs.play

    def counting(*arguments, **options):
        made.append(0)
        return play(*arguments, **options)

    payoffs.play = counting
    try:
        output = tmp_path_factory.mktemp("crossed") / "there"
        found = crossplay([runs["deceive"], runs["slower"]], EPISODES, output=output)
    finally:
        payoffs.play = play
    return found, output, len(made)


def test_a_matrix_is_of_all_seeds_and_all_scripted_sides(crossed):
    found, _, _ = crossed
    seeds = ["deceive s0", "deceive s1", "deceive s2", "slower s0"]
    names = [[entry["name"] for entry in found[side]] for side in ("rows", "columns")]
    assert names[0] == [*seeds, "stay", "random", "goal_seekers", "deceivers"]
    assert names[1] == [*seeds, "stay", "random", "pursuer", "told_adversary"]
    for team in found["teams"]:
        assert np.shape(found[f"return_{team}"]) == (8, 8) and found[f"largest_standard_error_{team}"] > 0


def test_a_program_is_made_for_each_pair_of_kinds_and_not_for_each_cell(crossed):
    """Runs that differ in the learning rate act alike, scripted sides are one kind: two kinds on either side."""
    assert crossed[2] == 4


def test_a_seed_against_itself_plays_what_an_evaluation_plays(crossed, runs):
    trained = load_run(runs["deceive"], "deceive")
    cfg = trained.cfg.replace(eval_episodes=EPISODES)
    batch = Batch(make_env(cfg.env.name), EPISODES)
    teams = jax.tree.map(lambda *x: np.stack(x), *trained.teams.values())
    usual = player(cfg, batch, trained.algorithm, evaluation_key(cfg))(teams, "greedy").returns.mean(axis=1)
    for team, name in enumerate(("return_good", "return_adversary")):
        np.testing.assert_allclose(np.diagonal(crossed[0][name])[:3], usual[:, team], rtol=1e-5)


def test_standings_are_of_opponents_that_know_no_more_than_they_can(crossed):
    found = crossed[0]
    good, adversary = (np.array(found[f"return_{team}"]) for team in ("good", "adversary"))
    assert found["columns"][-1]["told"] and found["columns"][-1]["nash_average"] is None
    for k, row in enumerate(found["rows"]):
        against = good[k, :-1]
        assert row["mean"] == pytest.approx(against.mean()) and row["worst"] == against.min() > good[k, -1]
        assert row["worst_against"] == found["columns"][int(against.argmin())]["name"]
    for k, column in enumerate(found["columns"]):
        assert column["mean"] == pytest.approx(adversary[:, k].mean()) and column["worst"] == adversary[:, k].min()
    hardest = [found["hardest_mixture_good"].get(entry["name"], 0) for entry in found["columns"]]
    ratings = [row["nash_average"] for row in found["rows"]]
    np.testing.assert_allclose(ratings, good @ hardest, rtol=1e-5)
    assert max(ratings) == pytest.approx(next(r["nash_average"] for r in found["rows"] if r["nash_weight"]))


def test_a_run_s_advantage_is_that_of_its_own_seeds(crossed):
    found = crossed[0]
    good, adversary = (np.array(found[f"return_{team}"])[:3, :3] for team in ("good", "adversary"))
    first, second = found["runs"]
    for name, own in (("diagonal_advantage_good", good), ("diagonal_advantage_adversary", adversary.T)):
        expected = own[0, 0] - (own[0, 1] + own[0, 2]) / 2
        assert first[name]["of_each_seed"][0] == pytest.approx(expected)
        assert first[name]["low"] < first[name]["mean"] < first[name]["high"]
        assert second[name]["mean"] is None
    assert first["mean_good"]["of_each_seed"] == [row["mean"] for row in found["rows"][:3]]
    assert first["worst_adversary"]["mean"] == pytest.approx(np.mean([c["worst"] for c in found["columns"][:3]]))


def test_a_folder_holds_what_is_returned_and_a_picture(crossed):
    found, output, _ = crossed
    assert json.loads((output / "crossplay.json").read_text()) == json.loads(json.dumps(found, default=str))
    assert (output / "crossplay.png").read_bytes().startswith(b"\x89PNG")
    assert (output / "crossplay.svg").read_text().count("deceive s1") >= 2


def test_the_table_says_it_all(crossed):
    lines = crossplay_table(crossed[0]).splitlines()
    assert sum("told_adversary*" in line for line in lines) == 1
    assert any(line.startswith("deceive, good: advantage against the own partner: ") for line in lines)
    assert not any(line.startswith("slower, good: advantage") for line in lines)
    assert any(line.startswith("hardest mixture: ") and "%" in line for line in lines)


def test_runs_of_different_networks_may_compete(runs):
    """The talking team's good agents against the silent one's adversary: neither can act by the other's program."""
    talking, silent = (load_run(runs[name], name) for name in ("deceive", "silent"))
    batch = Batch(make_env("simple_adversary_v3"), EPISODES)
    kinds = kinds_of(batch, [talking, silent])
    entries = seeds_of([talking, silent], kinds)
    check_apart([talking, silent])  # who says nothing tells the others nothing, whatever the route
    mean, error = duel(batch, jax.random.key(0))(entries[0], entries[-1])
    assert kinds[0] is not kinds[1] and entries[-1].name == "silent s2"
    assert np.isfinite(mean).all() and (error > 0).all()


def test_a_run_may_know_the_same_agents_by_other_groups(runs):
    """A seed that was trained in groups of its own plays what it plays in its own evaluation; and it remembers."""
    run = load_run(runs["grouped"], "grouped")
    key, played = jax.random.key(0), []
    for env in (run.env, make_env("simple_adversary_v3")):
        batch = Batch(env, EPISODES)
        entry = seeds_of([run], kinds_of(batch, [run]))[0]
        played.append(duel(batch, key)(entry, entry)[0])
    assert list(run.env.groups) == list(run.env.agents) and run.env.groups != env.groups
    np.testing.assert_allclose(*played, rtol=1e-5)


# Strangers.


def test_strangers_of_the_same_seed_are_as_one_s_own_partner(runs, tmp_path):
    twin = tmp_path / "twin"
    shutil.copytree(runs["tell"], twin)
    output = tmp_path / "out"
    assert crossplay_main([str(runs["tell"]), str(twin), "--episodes", str(EPISODES), "--output", str(output)]) == 0
    found = json.loads((output / "crossplay.json").read_text())
    matrix = np.array(found["return"])
    assert np.array_equal(matrix[:2, :2], matrix[2:, 2:]) and np.array_equal(matrix[:2, 2:], matrix[2:, :2])
    assert np.array_equal(matrix[0], np.tile(matrix[0, :2], 2)) and matrix[0, 0] != matrix[0, 1]
    assert found["row_agents"] == ["speaker_0"] and found["column_agents"] == ["listener_0"]
    lost = np.diagonal(matrix).mean() - matrix[~np.eye(4, dtype=bool)].mean()
    assert found["lost_with_strangers"]["mean"] == pytest.approx(lost)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Three agents of one group that share a policy, are told who they are, and remember."""
    folder = tmp_path_factory.mktemp("crowd")
    changes = {"env.name": "simple_spread_v3", "num_seeds": 2, "actor_id": "embedding", "net.memory": "gru"}
    return load_run(lively_run(folder / "run", **changes), "run")


def test_a_team_with_parameters_for_each_agent_plays_as_the_one_that_shares_them(crowd):
    batch, key = Batch(crowd.env, EPISODES), jax.random.key(0)
    shared, spread = learned(batch, crowd.env, crowd.algorithm), apart(batch, [crowd])[0]
    played = [
        jax.jit(lambda team, kind=kind: mean_returns(batch, kind(team), key))(team)[0]
        for kind, team in ((shared, crowd.teams[0]), (spread.kind, spread.params))
    ]
    np.testing.assert_allclose(*played, rtol=1e-4)


@pytest.mark.parametrize("groups", ["prefix", "agent"])
def test_who_is_of_the_row_does_not_depend_on_how_policies_are_shared(groups):
    env = default_cfg().replace({"env.name": "simple_spread_v3", "agent_groups": groups}).make_env()
    assert first_agents(env).tolist() == [True, True, False]


def test_agents_of_one_group_are_mixed_one_by_one(crowd):
    env = make_env("simple_spread_v3")
    one, other = (entry.params for entry in apart(Batch(env, 2), [crowd]))
    both = mixed(env, first_agents(env), one, other)
    for name, leaf in jax.tree_util.tree_leaves_with_path(both.params):
        ours, theirs = (dict(jax.tree_util.tree_leaves_with_path(x.params))[name] for x in (one, other))
        assert np.array_equal(leaf[:2], ours[:2]) and np.array_equal(leaf[2], theirs[2])
        assert not np.array_equal(ours[2], theirs[2])


def test_groups_are_mixed_one_by_one(runs):
    env, run = make_env("simple_speaker_listener_v4"), load_run(runs["tell"], "tell")
    one, other = (entry.params for entry in apart(Batch(env, 2), [run]))
    both = mixed(env, first_agents(env), one, other).params["params"]
    for name, module in both.items():
        source = one if name.startswith("speaker") else other
        jax.tree.map(np.testing.assert_array_equal, module, source.params["params"][name])


def test_parameters_of_other_shapes_are_not_spread():
    with pytest.raises(ValueError, match=r"shape \(2,\) cannot be given to agents that need \(3, 4\)"):
        per_agent({"a": np.zeros(2)}, {"a": np.zeros((3, 4))})


# Mistakes, and where results go.


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["nowhere"], [], "nowhere is not a run folder"),
        (["deceive", "deceive"], [], "a run is named twice"),
        (["deceive", "tell"], [], "trained on another task than"),
        (["deceive"], ["--episodes", "0"], "'eval_episodes' is 0"),
        (["deceive"], ["--episodes", "1000000000"], "the evaluation needs at least"),
        (["deceive"], ["--output", "tests"], "tests exists; choose another folder"),
        (["deceive"], ["--output", "no/where"], "cannot write to"),
        (["overheard"], [], "its channel crosses teams"),
        (["alone"], [], "there is nothing to cross: one seed knows no strangers"),
        (["single"], [], "there is nothing to cross: simple_v3 has one agent"),
        (["tell", "wider"], [], "differs from"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(runs, names, options, message, capsys):
    folders = [str(runs.get(name, name)) for name in names]
    assert crossplay_main([*folders, *options]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and error.startswith("error: ")
    assert not any(list(folder.glob("crossplay*")) for folder in runs.values())


def test_a_difference_in_the_channel_is_named(runs, capsys):
    assert crossplay_main([str(runs["tell"]), str(runs["wider"])]) == 1
    assert capsys.readouterr().err.strip().endswith("in comm.message_dim")


def test_a_silent_side_is_not_played_with_the_channel_of_another_run(tmp_path):
    """Networks of both have the same shapes: it is the config that says who talks."""
    talking, silent = (
        load_run(lively_run(tmp_path / name, **{"env.name": "simple_tag_v3", "teams": teams}), name)
        for name, teams in (("talking", {}), ("silent", {"adversary": {"channel": False}}))
    )
    assert talking.shapes == silent.shapes and act_differently(talking, silent) == ["teams.*.channel"]
    assert act_differently(silent, silent) == []


def test_a_run_without_a_checkpoint_is_one_line(runs, tmp_path, capsys):
    unfinished = tmp_path / "unfinished"
    shutil.copytree(runs["tell"], unfinished, ignore=shutil.ignore_patterns("checkpoints"))
    assert crossplay_main([str(unfinished)]) == 1
    assert "unfinished has no checkpoint yet" in capsys.readouterr().err


def test_a_run_of_one_side_meets_everyone_on_that_side_alone(runs, tmp_path, monkeypatch):
    """It plays as it did against its own opponent, and has no partner of its own."""
    half = lively_run(
        tmp_path / "half",
        **{"env.name": "simple_adversary_v3", "comm.preset": "none", "num_seeds": 2, "opponents": {"good": "stay"}},
    )
    monkeypatch.setattr("jaxmarl_comm.crossing.run.plot_crossplay", lambda found, path: None)
    met = []

    def play_one(rows, columns, cell, tell):
        """The half run's first seed against those who stand still, of all that could be played."""
        row, column = ([entry.name for entry in of].index(name) for of, name in ((rows, "stay"), (columns, "half s0")))
        met.append(cell(rows[row], columns[column])[0])
        return payoffs.Payoffs(*np.arange(4.0 * len(rows) * len(columns)).reshape(2, len(rows), len(columns), 2))

    monkeypatch.setattr("jaxmarl_comm.crossing.competing.play_all", play_one)
    found = crossplay([half, runs["deceive"]], EPISODES, output=tmp_path / "out")
    names = [[entry["name"] for entry in found[side] if entry["run"]] for side in ("rows", "columns")]
    whole = [f"deceive s{k}" for k in range(3)]
    assert names == [whole, ["half s0", "half s1", *whole]]
    ours, theirs = found["runs"]
    assert ours["mean_good"]["mean"] is None and len(ours["mean_adversary"]["of_each_seed"]) == 2
    assert ours["diagonal_advantage_adversary"]["mean"] is None is not theirs["diagonal_advantage_adversary"]["mean"]
    assert "half, adversary: mean over opponents" in (table := crossplay_table(found))
    assert "half, good" not in table and "half, adversary: advantage" not in table
    run = load_run(half, "half")
    teams, batch = jax.tree.map(lambda *x: np.stack(x), *run.teams.values()), Batch(run.env, EPISODES)
    usual = player(run.cfg, batch, run.algorithm, evaluation_key(run.cfg))(teams, "greedy").returns[0].mean()
    np.testing.assert_allclose(met[0][1], usual, rtol=1e-5)


def test_nobody_is_crossed_with_nobody():
    with pytest.raises(RunError, match="no run to cross"):
        crossplay([])


def run_with_nan(path, seeds):
    """A run of two seeds, of which so many diverged."""

    def spoil(state):
        spoilt = jax.tree.map(lambda x: np.concatenate([x[:seeds] * np.nan, x[seeds:]]), state.params)
        return state._replace(params=spoilt)

    return lively_run(path, spoil, **{"env.name": "simple_speaker_listener_v4", "num_seeds": 2})


def test_seeds_that_diverged_are_skipped_and_said(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("jaxmarl_comm.crossing.run.plot_crossplay", lambda found, path: None)
    played = []

    def play_none(rows, columns, cell, tell):
        played.extend(entry.name for entry in rows)
        return payoffs.Payoffs(*np.zeros((2, len(rows), len(columns), 1)))

    monkeypatch.setattr("jaxmarl_comm.crossing.strangers.play_all", play_none)
    found = crossplay([run_with_nan(tmp_path / "ill", 1), runs["tell"]], EPISODES)
    assert played == ["ill s1", "tell s0", "tell s1"] and found["runs"][0]["diverged"] == [0]
    assert "ill: 1 seed(s) after iteration 1; skipped, as they diverged: seeds 0" in capsys.readouterr().out
    with pytest.raises(RunError, match="all seeds diverged"):
        crossplay(run_with_nan(tmp_path / "worse", 2))


def test_results_take_the_next_free_number(runs, tmp_path, monkeypatch):
    none = {"teams": ["good"], "rows": [], "columns": [], "own_partner": 0}
    monkeypatch.setattr("jaxmarl_comm.crossing.run.cross", lambda cfg, paths, tell: none)
    monkeypatch.setattr("jaxmarl_comm.crossing.run.crossplay_table", str)
    monkeypatch.setattr("jaxmarl_comm.crossing.run.plot_crossplay", lambda found, path: None)
    run = tmp_path / "run"
    shutil.copytree(runs["alone"], run)
    (run / "crossplay-1").symlink_to(tmp_path)
    for _ in range(2):
        crossplay(run)
    assert sorted(path.name for path in run.glob("crossplay*")) == [f"crossplay-{k}" for k in (1, 2, 3)]
    assert not (tmp_path / "crossplay.json").exists()


def test_the_picture_frames_who_was_trained_together(crossed, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(heat_map, "save", lambda figure, path: drawn.append(figure))
    heat_map.plot_crossplay(crossed[0], tmp_path / "picture.png")
    good, adversary = drawn[0].axes
    assert [axis.get_title() for axis in (good, adversary)] == ["return of good", "return of adversary"]
    assert good.get_ylabel() == "good" and drawn[0].get_supxlabel() == "adversary"
    for axis, name in ((good, "return_good"), (adversary, "return_adversary")):
        assert [text.get_text() for text in axis.texts] == [f"{x:.1f}" for row in crossed[0][name] for x in row]
        framed = {(round(patch.get_x() + 0.45), round(patch.get_y() + 0.42)) for patch in axis.patches}
        assert framed == {(k, k) for k in range(4)}


def grown(*layers):
    """The state of as many seeds, whose networks have come to so many layers, as wide as can be."""

    def as_grown(path, x):
        if not any(str(getattr(key, "key", "")).endswith(SHAPE) for key in path):
            return x
        if path[-1].key == "layers":
            return np.float32(layers)
        return np.ones_like(x) if path[-1].key == "units" else np.broadcast_to(np.eye(1, x.shape[-1]), x.shape)

    return lambda state: state._replace(params=jax.tree_util.tree_map_with_path(as_grown, state.params))


@pytest.mark.parametrize("task", ["simple_reference_v3", "simple_speaker_listener_v4"])
def test_strangers_whose_networks_have_grown_can_meet(task, tmp_path):
    room = {"env.name": task, "num_seeds": 2, "net.max_width": 16, "net.max_layers": 4}
    found = crossplay(lively_run(tmp_path / "alike", grown(3, 3), **room), EPISODES, output=tmp_path / "out")
    assert np.isfinite(found["strangers"]["mean"])
    others = lively_run(tmp_path / "others", grown(3, 4), **room)
    if task == "simple_speaker_listener_v4":  # whose groups are of one agent each
        assert np.isfinite(crossplay(others, EPISODES, output=tmp_path / "out2")["strangers"]["mean"])
        env, run = make_env(task), load_run(others, "others")
        both = mixed(env, first_agents(env), *(entry.params for entry in apart(Batch(env, 2), [run])))
        found = {name: float(of["layers"]) for name, of in both.params["params"].items() if name.endswith(SHAPE)}
        assert found == {"speaker_shape": 3, "listener_shape": 4}
    else:
        with pytest.raises(RunError, match="those of agent have come to other layers or activations"):
            crossplay(others, EPISODES)


def test_strangers_whose_messages_are_of_another_kind_are_not_mixed():
    def entry(**numbers):
        those = Numbers(*np.float32([0.1, 0, 0, 4, 3, 1]))._replace(**numbers)
        return SimpleNamespace(params=SimpleNamespace(numbers=those))

    check_messages([entry(), entry(temperature=np.float32(0.5)), entry()])
    for name in ("message_dim", "bits", "noise"):
        with pytest.raises(RunError, match=rf"have come to comm\.{name} 2 and 8"):
            check_messages([entry(**{name: np.float32(n)}) for n in (8, 2, 8)])
