"""What is concluded from a run: intervals, ladders, the untrained team, the value of talk, warnings."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from jaxmarl_comm import default_cfg, runner
from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.config import ConfigError, load_config, silent_control
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.evaluation import evaluate_teams
from jaxmarl_comm.evaluation.control import Control, check_control, inequalities
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.per_team import returns_of
from jaxmarl_comm.evaluation.reference import play_reference
from jaxmarl_comm.evaluation.stats import (
    difference,
    estimate,
    over_seeds,
    rate_difference,
    rate_over_seeds,
    without_intervals,
)
from jaxmarl_comm.evaluation.verdict import differ_in_kind, formed, protocols, warnings
from jaxmarl_comm.evaluation.yardsticks import Yardsticks
from jaxmarl_comm.report.table import CURVES, NO_CONTROL, evaluation_table, labels
from jaxmarl_comm.run_folder import RunError, RunFolder
from learners import lively_teams

REFERENCE, LISTENER, SPREAD = "simple_reference_v3", "simple_speaker_listener_v4", "simple_spread_v3"
TINY = {"num_iters": 2, "num_envs": 4, "num_minibatches": 1, "hidden_dim": 8, "log_interval": 1, "eval_episodes": 20}


# Intervals.


def test_an_interval_is_cut_to_what_is_certain():
    assert rate_over_seeds(np.arange(1000) < np.array([[999], [998], [999], [998], [100]]))["high"] == 1
    one, several = np.array([[0.0, 0.0, 4.0]]), np.array([[0.0, 0.0], [0.0, 4.0]])
    for counts in (one, several):
        assert over_seeds(counts)["low"] < 0 == over_seeds(counts, least=0)["low"]


def test_nothing_is_cut_at_an_oracle_that_learns_goals_a_step_late():
    returns = np.linspace(-7.32, -7.30, 5)[:, None] + np.tile([0.01, -0.01], 50)
    (found,) = returns_of(make_env(LISTENER), returns[..., None]).values()
    assert found["low"] < -7.31 < found["high"] and found["mean"] == pytest.approx(-7.31)


def test_an_interval_never_excludes_its_own_mean():
    above = np.log(3) + np.array([0.0, 1e-7, 2e-7])
    found = estimate(above, (0.0, np.log(3)))
    assert found["low"] <= found["mean"] <= found["high"]


def test_the_difference_of_two_rates_is_at_most_one():
    ours, theirs = np.arange(100) < np.array([[100], [99], [20]]), np.zeros((3, 100))
    free, cut = difference(ours, theirs), rate_difference(ours, theirs)
    assert free["high"] > 1 == cut["high"] and cut["low"] == free["low"]


def test_rates_of_which_nobody_is_certain_have_no_certain_difference():
    """Newcombe's (1998) intervals: none of 10 less none of 20; of three seeds, all of 12 less none of 12."""
    none = rate_difference(np.zeros((1, 10)), np.zeros((2, 10)))
    assert none["mean"] == 0 and (none["low"], none["high"]) == pytest.approx((-0.16113, 0.27753), abs=1e-5)
    found, unsure = rate_difference(np.ones((3, 4)), np.zeros((3, 4))), 1 - 12 / (12 + 1.959964**2)
    assert found["low"] == pytest.approx(1 - np.sqrt(2) * unsure) and found["high"] == 1


def test_a_seed_without_a_value_does_not_spoil_a_difference():
    ours, theirs = np.array([[1.0], [np.nan], [2.0], [3.0]]), np.array([[0.0], [0.5]])
    found, known = difference(ours, theirs), difference(ours[[0, 2, 3]], theirs)
    assert found["of_each_seed"] == [0.75, None, 1.75, 2.75]
    assert (found["mean"], found["low"], found["high"]) == (known["mean"], known["low"], known["high"])
    assert difference(np.full((2, 3), np.nan), theirs)["mean"] is None


def test_seeds_that_all_succeed_are_not_certain_to():
    found = rate_over_seeds(np.ones((5, 100)))
    assert found["low"] == pytest.approx(500 / (500 + 1.959964**2)) and found["high"] == 1


def test_success_of_one_seed_is_wilsons():
    found = rate_over_seeds(np.ones((1, 100)))
    assert found["mean"] == 1 and found["high"] == 1
    assert found["low"] == pytest.approx(100 / (100 + 1.959964**2))  # n / (n + z^2), where all succeed


def test_every_seed_is_shown_and_the_middle_half_is_not_moved_by_one():
    values = np.array([-7.4, -7.4, -7.5, -7.3, -16.0])
    found = estimate(values)
    assert found["of_each_seed"] == values.tolist()
    assert found["iqm"] == pytest.approx(trim_mean(values, 0.25)) == pytest.approx(-7.43, abs=0.01)
    assert values.min() <= found["iqm_low"] <= found["iqm"] <= found["iqm_high"] <= values.max()
    assert found == estimate(values)
    few = estimate(values[:4])
    assert few["iqm"] == pytest.approx(-7.4) and few["iqm_low"] is None is few["iqm_high"]
    assert "iqm" not in estimate(values[2:])  # of three seeds nothing can be trimmed


def test_a_seed_without_a_value_is_left_out_and_said():
    found = estimate(np.array([1.0, np.nan, 3.0]))
    assert found["mean"] == 2 and found["of_each_seed"] == [1, None, 3]
    assert estimate(np.array([np.nan]))["mean"] is None and over_seeds(np.zeros((2, 0)))["mean"] is None


def test_where_nothing_is_played_in_mpe2_nothing_is_known():
    cfg, env = default_cfg().replace({"eval_episodes_reference": 0}), make_env("simple_tag_v3")
    returns = play_reference(cfg, env, None, np.zeros(2))  # of two teams
    assert returns.shape == (2, 0, 2)
    assert [found["mean"] for found in returns_of(env, returns).values()] == [None, None]


def test_differences_over_seeds_are_welchs_and_over_episodes_paired():
    luck = np.random.default_rng(0).standard_normal((1, 1000))
    paired = difference(luck + 0.5, luck)
    assert paired["low"] == pytest.approx(0.5) == paired["high"]
    seeds = difference(np.array([[1.0], [2.0], [3.0]]), np.array([[0.0], [0.5]]))
    assert seeds["mean"] == pytest.approx(1.75) and seeds["of_each_seed"] == [0.75, 1.75, 2.75]
    # By hand: variances 1/3 and 1/16, 2.64 degrees of freedom, t = 3.44.
    assert (seeds["high"] - seeds["low"]) / 2 == pytest.approx(3.44 * (1 / 3 + 1 / 16) ** 0.5, abs=0.01)


# Ladders.


@pytest.mark.parametrize("task", [REFERENCE, LISTENER, SPREAD, "simple_v3", "simple_formation_v1"])
def test_a_ladder_belongs_to_a_task_with_its_arguments(task):
    assert make_env(task).ladder is not None
    assert make_env(task, max_cycles=10).ladder is None


def test_rungs_are_absent_where_unknown():
    assert make_env(SPREAD).ladder.silent is None and make_env(SPREAD, N=5).ladder is None
    assert make_env(SPREAD, N=6).ladder.oracle < make_env(SPREAD).ladder.oracle
    assert make_env(SPREAD, num_agent_neighbors=1, num_landmark_neighbors=2).ladder == make_env(SPREAD).ladder
    assert make_env(SPREAD, local_ratio=0.4).ladder is None
    assert make_env("simple_tag_v3").ladder is None and make_env("simple_line_v1", N=5).ladder is None
    assert np.isnan(make_env(SPREAD).ladder.score(np.array([-6.0]))).all()


@pytest.mark.parametrize("task", [REFERENCE, LISTENER, SPREAD, "simple_v3", "simple_line_v1", "simple_formation_v1"])
def test_who_may_push_anywhere_stands_higher(task):
    continuous, discrete = (make_env(task, continuous_actions=kind).ladder for kind in (True, False))
    for rung in ("silent", "oracle", "attainable"):
        ours, theirs = getattr(continuous, rung), getattr(discrete, rung)
        assert (ours is None and theirs is None) or ours > theirs


def test_who_is_paid_does_not_move_the_mean():
    assert make_env(REFERENCE, local_ratio=0.1).ladder == make_env(REFERENCE).ladder


# Protocols and warnings.


def episodes(returns, sent=25.0, num_agents=2):
    """Greedy episodes of a team of which only returns, a row per seed, and messages sent matter."""
    returns = np.array(returns, float)
    nothing = np.zeros(returns.shape)
    num_sent = np.full((*returns.shape, num_agents), sent)
    return Episodes(returns[..., None], nothing[..., None], nothing, 0, 0, 0, 0, num_sent, 0, 0)


def test_only_who_sends_something_can_form_a_protocol():
    cfg, env = default_cfg(), make_env(REFERENCE)
    played = episodes([[-7.4, -7.5], [-16.5, -16.9]])
    assert formed(cfg, env, played).tolist() == [True, False]
    assert formed(cfg, env, played._replace(num_sent=0 * played.num_sent)).tolist() == [False, False]
    assert formed(cfg.replace({"comm.preset": "none"}), env, played) is None


@pytest.mark.parametrize("arguments", [{"max_cycles": 10}, {"max_cycles": 10, "continuous_actions": True}])
def test_a_protocol_is_undefined_where_the_silent_optimum_is_unknown(arguments):
    assert formed(default_cfg(), make_env(REFERENCE, **arguments), episodes([[-2.0, -2.1]])) is None
    assert formed(default_cfg(), make_env(SPREAD), episodes([[-7.0, -7.1]])) is None


def warned(trained, untrained, rows=(), who_formed=None, value=None, random=((-40.0, -41.0),)):
    played = episodes(trained), episodes(untrained), episodes(random)
    return warnings(make_env(REFERENCE), *played, who_formed, value, rows)


def test_a_healthy_run_is_not_warned_of():
    rows = [{"approx_kl": [0.004, 0.01], "entropy": [0.3, 0.01]}]
    assert warned([[-7.4, -7.5]] * 2, [[-25.0, -26.0]] * 2, rows, np.array([True, True]), {"high": 9.0}) == []


def test_collapse_is_told_from_learning_in_words():
    rows = [{"approx_kl": [0.01, 7e10], "entropy": [1.2, 0.03]}] * 3
    leap, rigid, idle = warned([[-20.0, -20.5], [-26.0, -25.0]], [[-25.0, -26.0]] * 2, rows)
    assert leap.startswith("seed 1: approx_kl is 7e+10 nats at the end") and leap.endswith("try a lower lr")
    assert rigid == "seed 1 collapsed: entropy fell to 0.03 nats before anything was learned"
    assert idle.startswith("seed 1 did not learn")


def test_a_rigid_team_that_beats_only_the_untrained_one_has_not_learned():
    rows = [{"approx_kl": [0.01], "entropy": [0.0]}]
    rigid, idle = warned([[-22.0, -22.1]], [[-25.0, -25.1]], rows, random=[[-20.0, -20.1]])
    assert rigid.startswith("the team collapsed") and idle.endswith("not above an untrained and a random team's")
    assert warned([[-19.0, -19.1]], [[-25.0, -25.1]], rows, random=[[-20.0, -20.1]]) == []


def test_where_sides_compete_a_leap_to_rigidity_is_a_collapse():
    env, played = make_env("simple_tag_v3"), episodes([[-1.0, -2.0]] * 2)
    calm = {name: [0.01, 0.01] for name in (*env.per_team("approx_kl"), *env.per_team("entropy"))}
    assert warnings(env, played, played, played, None, None, [calm]) == []
    leapt = calm | {"approx_kl_good": [0.01, 0.5]}
    _, rigid = warnings(env, played, played, played, None, None, [leapt])
    assert rigid == "seed 1 collapsed: entropy_good fell to 0.01 nats in leaps"


def test_a_mean_of_two_kinds_has_no_interval_but_the_fraction_has():
    two, one = np.array([True, False, True]), np.array([True, True])
    assert differ_in_kind(two) and not differ_in_kind(one) and not differ_in_kind(None)
    found = protocols(two, 4)
    assert found["protocol_fraction"] == 0.5  # one more diverged
    assert found["protocol_interval"] == pytest.approx([0.150, 0.850], abs=1e-3)  # Wilson's, of 2 of 4
    values = estimate(np.array([-7.4, -16.5, -7.4, -7.5, -7.3]))
    bare = without_intervals({"return": values, "curve": {"0.5": values}, "value_of_talk": None})
    for kept in (bare["return"], bare["curve"]["0.5"]):
        assert kept == values | {"low": None, "high": None}
    assert values["low"] is not None and bare["return"]["iqm_low"] is not None


def test_seeds_that_differ_in_kind_are_named():
    (kind,) = warned([[-7.4, -7.5], [-16.5, -16.6]], [[-25.0, -26.0]] * 2, who_formed=np.array([True, False]))
    assert "1 of 2 formed a protocol" in kind and kind.endswith("-7.45, -16.55")


def test_talk_that_costs_is_named():
    (costs,) = warned([[-9.0, -9.1]], [[-25.0, -26.0]], value={"high": -0.2})
    assert costs == "the value of talk is negative: a trained silent team returns more than this one"


# The silent control.


@pytest.mark.parametrize(
    "changes",
    [
        {"comm.route": "nearest"},
        {"comm.preset": "dial", "comm.noise": 1.0},
        {"comm.preset": "tarmac", "comm.message_price": 0.1},
        {"comm.preset": "speech", "comm.signalling_coef": 0.1},
    ],
)
def test_every_run_has_a_silent_control(changes):
    cfg = default_cfg().replace({**changes, "lr": 1e-3, "control": True})
    silent = silent_control(cfg)
    assert silent == default_cfg().replace({"comm.preset": "none", "lr": 1e-3})
    check_control(cfg, silent, "there")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comm.preset": "none"}, "this team is silent itself"),
        ({"env.name": "simple_crypto_v3", "comm.preset": "speech"}, "no silent control of simple_crypto_v3"),
    ],
)
def test_no_control_where_silence_changes_nothing_or_everything(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace({**changes, "control": True})


def test_a_control_is_silent_and_of_the_same_task():
    silent = silent_control(default_cfg())
    with pytest.raises(ConfigError, match=r"control there is not silent: its comm\.preset is commnet"):
        check_control(default_cfg(), default_cfg(), "there")
    with pytest.raises(ConfigError, match=r"another task: env\.max_cycles differ"):
        check_control(default_cfg(), silent.replace({"env.max_cycles": 10}), "there")
    check_control(default_cfg(), silent.replace({"env.max_cycles": 25}), "there")


def test_a_control_that_is_unlike_its_run_is_told_of():
    cfg = default_cfg().replace({"num_iters": 5, "num_envs": 16, "rollout_len": 20, "num_seeds": 2})
    silent = silent_control(cfg)
    control = Control(silent, None, None, "there")
    assert inequalities(cfg, control) == [] == inequalities(cfg, None)
    steps, seeds = inequalities(cfg, control._replace(cfg=silent.replace(num_iters=1, num_seeds=1)))
    assert steps.startswith("control there was trained for 320 steps against 1,600")
    assert seeds == "control there has 1 seed(s) against 2"


def idle_chunk(algorithm, state, length):
    """A compiled chunk that learns nothing."""
    metrics = dict.fromkeys(algorithm.shown, np.zeros(1))
    return lambda state: (state, metrics | {"first_bad": np.array([-1])})


def test_training_goes_on_with_whichever_part_is_unfinished(tmp_path, monkeypatch):
    """Interrupted before its control is trained, a run is resumed there; evaluation gets the control."""
    given = []

    def evaluate(self, teams, iteration, cfg, control):
        given.append(control)
        return {"control": None}

    monkeypatch.setattr(runner.Runner, "evaluate", evaluate)
    monkeypatch.setattr(runner, "plot_curves", lambda *_, **__: None)
    monkeypatch.setattr(runner, "compile_chunk", idle_chunk)
    monkeypatch.setattr(runner, "bytes_held", lambda program: None)
    cfg = default_cfg().replace({**TINY, "env.name": LISTENER, "control": True})
    path = tmp_path / "run"
    with monkeypatch.context() as interrupted:
        interrupted.setattr(runner, "train_control", lambda *_: (_ for _ in ()).throw(RunError("stopped")))
        with pytest.raises(RunError, match="stopped"):
            runner.train(cfg, RunFolder.create(path, cfg))
    trained = (path / "metrics.jsonl").read_text()
    runner.train(cfg, RunFolder.resume(path)[0])
    assert (path / "metrics.jsonl").read_text() == trained
    assert load_config(path / "control" / "config.yaml") == silent_control(cfg)
    assert len((path / "control" / "metrics.jsonl").read_text().splitlines()) == 2
    assert given[0].source == str(path / "control") and given[0].cfg.comm.preset == "none"
    unfinished = RunFolder.create(tmp_path / "new", silent_control(cfg))
    with pytest.raises(RunError, match="has no checkpoint"):
        runner.load_control(unfinished.path, runner.Runner(cfg, RunFolder(path)))


# The whole.


@pytest.fixture(scope="module")
def evaluation():
    """Of untrained teams where sides compete, beside others in place of a control; nobody moves, to be quick."""
    changes = {"env.name": "simple_crypto_v3", "comm.preset": "speech", "eval_episodes_reference": 2}
    cfg = default_cfg().replace({**TINY, **changes})
    env = make_env(cfg.env.name)
    algorithm, learner = make_algorithm(cfg, env), Mappo(cfg, env)
    teams, others = (lively_teams(learner, seeds) for seeds in ((0, 1), (2, 3)))
    control = Control(cfg, algorithm, others, "there")
    return evaluate_teams(Yardsticks(cfg, env, algorithm, lambda: teams), teams, lambda line: None, control=control)


def test_everything_that_belongs_to_a_side_is_told_of_each(evaluation):
    assert evaluation["teams"] == ["good", "adversary"]
    for name in ("return", "return_muted", "return_reference", "success", "value_of_talk", "value_of_talk_success"):
        assert name not in evaluation
        good, adversary = evaluation[f"{name}_good"], evaluation[f"{name}_adversary"]
        assert len(good["of_each_seed"]) == 2 and good["mean"] is not None and adversary["mean"] is not None
    assert evaluation["return_good"] != evaluation["return_adversary"]
    assert evaluation["baselines"]["random"]["return_adversary"]["mean"] < 0
    table = evaluation_table(evaluation)
    assert "return, greedy: good" in table and "return, greedy: adversary" in table and NO_CONTROL not in table


def test_the_untrained_team_plays_the_same_episodes(evaluation):
    before = evaluation["untrained"]
    for name in ("return_good", "success_adversary", "message_information_by_step", "listening_tv_muted"):
        assert before[name] == evaluation[name]


def test_the_value_of_talk_is_the_difference_to_the_control(evaluation):
    value, control = evaluation["value_of_talk_good"], evaluation["control"]
    assert value["mean"] == pytest.approx(evaluation["return_good"]["mean"] - control["return_good"]["mean"])
    assert value["low"] < value["mean"] < value["high"]
    assert control["source"] == "there" and control["interval_over"] == "seeds"


def test_the_table_has_a_line_for_what_is_defined():
    values = [{"mean": x, "low": x and x - 0.1, "high": x and x + 0.1, "of_each_seed": [x]} for x in (None, -8.25)]
    own = ["share_of_saving"]
    measures = dict.fromkeys(labels(["good"], own), values[1]) | {"return_reference": values[0], "value_of_talk": None}
    measures["value_of_talk_success"] = None
    curves = {key: {"0.5": values[1], "1.0": values[1]} for key in CURVES}
    rest = {
        "measured": own,
        "baselines": {},
        "protocol_fraction": None,
        "interval_over": "seeds",
        "teams": ["good"],
        "control": None,
    }
    found = {**measures, **curves, **rest, "untrained": {"return": values[1]}, "warnings": ["it did not learn"]}
    lines = evaluation_table(found).splitlines()
    assert len(lines) == 1 + len(measures) - 3 + len(CURVES) + len(NO_CONTROL.splitlines()) + 1
    assert not any("mpe2" in line for line in lines)
    assert lines[1].split() == ["return,", "greedy", "-8.250", "[-8.350,", "-8.150]", "-8.250"]
    assert any(" ".join(line.split()) == "return with loss 0.5, 1.0 -8.250, -8.250" for line in lines)
    assert lines[-1] == "warning: it did not learn"


def test_a_table_says_the_basis_of_a_comparison_and_the_bounds_of_a_fraction(evaluation):
    found = evaluation | {"protocol_fraction": 0.5, "protocol_interval": [0.095, 0.905]}
    assert " over episodes" not in evaluation_table(found)
    lines = evaluation_table(found | {"control": evaluation["control"] | {"interval_over": "episodes"}}).splitlines()
    assert [line.startswith("value of talk") for line in lines] == [line.endswith(" over episodes") for line in lines]
    assert any(" ".join(line.split()) == "seeds that formed a protocol 50% [10%, 90%]" for line in lines)
