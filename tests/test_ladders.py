"""Ladders: plans through the physics, held against hand-computed cases and scripted teams, and the command."""

from __future__ import annotations

import itertools
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe import world
from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.ladders import command, places
from jaxmarl_comm.ladders.ascent import ascend
from jaxmarl_comm.ladders.estimate import Mean, mean_over_starts
from jaxmarl_comm.ladders.moves import as_pushes, as_vectors, bettered, performed, tracked
from jaxmarl_comm.ladders.play import draw, pushes, returns, travel
from jaxmarl_comm.ladders.rungs import Rungs, rungs
from jaxmarl_comm.ladders.told import best_plan, with_every_goal
from jaxmarl_comm.scripted import make_side

EPISODES, STEPS = 4, 1200
GOALS = ["simple_v3", "simple_reference_v3", "simple_speaker_listener_v4"]


def task(name: str, continuous: bool = False) -> MPETask:
    env = make_env(name, continuous_actions=continuous)
    assert isinstance(env, MPETask)
    return env


@cache
def climbed(name: str, continuous: bool, num_blind: int):
    env = task(name, continuous)
    return jax.jit(partial(best_plan, env, num_blind=num_blind, num_steps=STEPS))(
        draw(env, jax.random.key(0), EPISODES)
    )


def at(name: str, pos: list[float], landmark: list[float]):
    """One agent and one landmark, in a batch of one."""
    env = task(name)
    start = draw(env, jax.random.key(0), 1)
    return env, start._replace(pos=jnp.array([pos])[..., None], landmarks=jnp.array([landmark])[..., None])


def test_who_is_there_stays():
    env, start = at("simple_v3", [0.3, -0.4], [0.3, -0.4])
    found = best_plan(env, start, 0, 20)
    assert found.value.tolist() == [0] and found.bound.tolist() == [0]


@pytest.mark.parametrize(("away", "success"), [(0.05, 1), (0.15, 0)])
def test_plans_succeed_where_the_task_says_so(away, success):
    env, start = at("simple_v3", [0.3, -0.4], [0.3 - away, -0.4])
    stay = jnp.zeros((env.max_cycles, 1, 1), int)
    found = performed(env, start, stay)
    assert found.success.tolist() == [success]
    np.testing.assert_allclose(found.returns, -env.max_cycles * away**2, rtol=1e-5)


def test_full_force_goes_as_far_as_physics_says():
    env, start = at("simple_v3", [0.0, 0.0], [9.0, 0.0])
    right = as_pushes(jnp.full((4, 1, 1), 2))
    # Velocities 0.5, 0.875, 1.15625 after the first three steps; positions follow one step behind.
    where = np.array([0, 0.05, 0.1375, 0.253125])
    np.testing.assert_allclose(travel(env.world, start, right).pos[:, 0, 0, 0], where, atol=1e-6)
    assert returns(env, start, right) == pytest.approx([-np.sum((9 - where) ** 2)])


def test_far_away_the_bound_is_full_force():
    env, start = at("simple_v3", [0.0, 0.0], [9.0, 0.0])
    right = as_pushes(jnp.full((env.max_cycles, 1, 1), 2))
    (value,), (bound,) = best_plan(env, start, 0, 60)[1:]
    assert float(bound) == pytest.approx(float(returns(env, start, right)[0]), rel=1e-5)
    assert float(value) == pytest.approx(float(bound), rel=1e-5)


@pytest.mark.parametrize("physics", [("DAMPING", 0.2), ("DT", 0.12)])
def test_other_physics_would_be_seen(monkeypatch, physics):
    monkeypatch.setattr(world, *physics)
    with pytest.raises(AssertionError):
        test_full_force_goes_as_far_as_physics_says()


def test_a_mixture_of_moves_pushes_no_harder_than_one():
    corners = jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).T[None, None]
    discrete, continuous = pushes(task("simple_v3"), corners), pushes(task("simple_v3", True), corners)
    assert np.abs(discrete).sum(axis=2).tolist() == [[[1.0] * 4]] and discrete[0, 0, 0, 0] == 1
    assert np.abs(continuous).sum(axis=2).tolist() == [[[2.0] * 4]]


def test_a_bound_holds_before_the_climb_arrives():
    kink, away = (lambda x: -jnp.abs(x[0] - 0.3)), (lambda x: x[0])
    for num_steps in (3, 30):
        assert ascend(kink, jnp.zeros((1, 2)), num_steps).bound.min() >= 0
    found = ascend(away, jnp.zeros((1, 2)), 30)
    assert found.value == pytest.approx(1) and found.bound == pytest.approx(1)


@cache
def scripted(name: str, continuous: bool):
    """`[E]`: what the scripted team that knows all goals returns from the same starts, in the environment itself."""
    env = task(name, continuous)
    starts = with_every_goal(env, draw(env, jax.random.key(0), EPISODES))
    state = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), starts)._replace(t=starts.t[0])
    moves, obs = make_side("goal_seekers", env, 0), jax.vmap(env.observe, in_axes=(env.state_axes,))(state)
    keys = jax.random.split(jax.random.key(0), len(state.pos))

    def step(state, _):
        state, ts = env.step_many(keys, state, moves(keys[0], state, obs))
        return state, ts.reward.mean(axis=1)

    total = jax.jit(lambda state: jax.lax.scan(step, state, length=env.max_cycles)[1].sum(axis=0))(state)
    return total.reshape(max(env.num_goals, 1), EPISODES).mean(axis=0)


@pytest.mark.parametrize(("name", "continuous"), [(GOALS[0], False), (GOALS[1], True), (GOALS[2], False)])
def test_no_scripted_team_is_above_the_bound(name, continuous):
    found, theirs = climbed(name, continuous, 0), scripted(name, continuous)
    assert (theirs <= found.bound + 1e-4).all() and (found.value <= found.bound + 1e-4).all()
    assert (found.bound - theirs).mean() < 0.6 and (found.bound - found.value).mean() < 0.3


def test_who_is_told_later_returns_less():
    at_once, a_step_late, never = (climbed("simple_speaker_listener_v4", False, steps) for steps in (0, 1, 25))
    assert (a_step_late.value <= at_once.bound + 1e-4).all() and (never.value <= a_step_late.bound + 1e-4).all()
    assert never.bound.mean() < a_step_late.value.mean() - 4 and a_step_late.bound.mean() < at_once.value.mean()


def test_plans_of_vectors_are_played_by_the_environment_as_planned():
    env, found = task("simple_reference_v3", True), climbed("simple_reference_v3", True, 0)
    starts = with_every_goal(env, draw(env, jax.random.key(0), EPISODES))
    played = performed(env, starts, as_vectors(pushes(env, found.plan.all_steps())))
    np.testing.assert_allclose(played.returns.reshape(3, EPISODES).mean(axis=0), found.value, atol=1e-4)


def test_moves_come_near_the_plan_and_keep_the_blind_step_blind():
    env, found = task("simple_speaker_listener_v4"), climbed("simple_speaker_listener_v4", False, 1)
    starts = with_every_goal(env, draw(env, jax.random.key(0), EPISODES))
    moves = jax.jit(partial(tracked, env))(starts, pushes(env, found.plan.all_steps()))
    moves = moves.at[0].set(jnp.tile(moves[0, :, :EPISODES], 3))
    better = jax.jit(partial(bettered, env, num_blind=1, num_goals=3))(starts, moves)
    play = jax.jit(partial(performed, env))
    before, after = (play(starts, each).returns.reshape(3, EPISODES).mean(axis=0) for each in (moves, better))
    assert (before <= after + 1e-4).all() and (after <= found.bound + 1e-4).all()
    assert (found.bound - after).mean() < 0.3
    assert (np.asarray(better[0]).reshape(2, 3, EPISODES) == np.asarray(better[0])[:, None, :EPISODES]).all()


@pytest.mark.parametrize(("name", "max_cycles"), [("simple_v3", 2), ("simple_v3", 4), ("simple_reference_v3", 3)])
def test_few_moves_are_bettered_to_the_best_that_there_are(name, max_cycles):
    """Of all agents: what one does is nothing to what another should."""
    env = make_env(name, max_cycles=max_cycles)
    start, shape = draw(env, jax.random.key(0), EPISODES), (max_cycles - 1, env.num_agents)  # of all that is felt
    plans = np.array(list(itertools.product(range(5), repeat=int(np.prod(shape))))).reshape(-1, *shape)
    every = jnp.pad(plans, ((0, 0), (0, 1), (0, 0)))[..., None].repeat(EPISODES, axis=-1)
    best = jnp.max(jax.vmap(lambda moves: performed(env, start, moves).returns)(every), axis=0)
    better = bettered(env, start, jnp.zeros(every.shape[1:], int))
    np.testing.assert_allclose(performed(env, start, better).returns, best, atol=1e-5)


def test_a_blind_move_is_the_best_on_average_and_the_next_the_best_for_each_goal():
    env, num = make_env("simple_speaker_listener_v4", max_cycles=3), 50
    starts, still = with_every_goal(env, draw(env, jax.random.key(0), num)), jnp.zeros((3, 2, 3 * num), int)
    play = jax.jit(lambda moves: performed(env, starts, moves).returns)
    of_pairs = np.array([[play(still.at[0].set(a).at[1].set(b)).reshape(3, num) for b in range(5)] for a in range(5)])
    best = of_pairs.max(axis=1).mean(axis=1).max(axis=0)
    found = play(bettered(env, starts, still, num_blind=1, num_goals=3)).reshape(3, num).mean(axis=0)
    np.testing.assert_allclose(found, best, atol=1e-5)


def test_places_that_are_too_near_are_pushed_apart_and_others_stay():
    near = jnp.array([[0.0, 0.0], [0.1, 0.0], [0.9, 0.9]])
    np.testing.assert_allclose(places.pushed_apart(near), [[-0.11, 0], [0.21, 0], [0.9, 0.9]], atol=1e-5)
    crowd = places.pushed_apart(jax.random.uniform(jax.random.key(0), (6, 2)) / 5)
    apart = np.linalg.norm(crowd[:, None] - crowd, axis=-1)[~np.eye(6, dtype=bool)]
    assert apart.min() > 0.3


@pytest.mark.long
def test_two_agents_share_landmarks_that_are_near():
    """0.25 apart, two agents beside each other leave 0.05 in all, and one alone 0.25."""
    env = make_env("simple_spread_v3", N=2)
    start = draw(env, jax.random.key(0), 1)
    pos, landmarks = jnp.array([[0.3, -0.4], [0.5, -0.8]]), jnp.array([[-0.1, -0.5], [0.15, -0.5]])
    start = start._replace(pos=pos[..., None], landmarks=landmarks[..., None])
    found = jax.jit(partial(places.best_found, env, num_steps=300))(start)
    reached = travel(env.world, start, pushes(env, found.plan)).pos[-3, ..., 0]
    left = np.linalg.norm(landmarks[:, None] - reached, axis=-1).min(axis=1)
    assert left.sum() < 0.1 and np.linalg.norm(reached[0] - reached[1]) > 0.29


@pytest.mark.long
def test_rungs_say_what_plans_return_and_how_often_they_succeed():
    found = rungs(make_env("simple_v3"), 0, 50, lambda done: None)
    assert found.silent is None and found.attainable.value < -5
    assert found.attainable_success.value == pytest.approx(1) and found.attainable_success.error < 0.01


def test_agents_take_the_places_that_cost_least(monkeypatch):
    env = make_env("simple_line_v1", N=2)
    start = draw(env, jax.random.key(0), 1)
    pos, ends = jnp.array([[0.6, 0.0], [-0.6, 0.0]]), jnp.array([[-0.625, 0.1], [0.625, 0.1]])
    start = start._replace(pos=pos[..., None], landmarks=ends[..., None])
    monkeypatch.setattr(places, "STARTS", 1)
    monkeypatch.setattr(places, "WALK_STEPS", 100)

    @jax.jit
    def climb(start):
        """(where agents come to, what that is worth, what it is worth to stay)."""
        found = places.best_found(env, start, num_steps=20)
        reached = travel(env.world, start, pushes(env, found.plan)).pos[-1, ..., 0]
        return reached, found.value, returns(env, start, jnp.zeros((25, 2, 2, 1)))

    reached, value, idle = climb(start)
    np.testing.assert_allclose(reached, ends[::-1], atol=0.05)
    assert value > idle + 1


def test_features_take_away_what_they_explain():
    draws = np.random.default_rng(0)
    many, few = draws.normal(2, 1, (100_000, 1)), draws.normal(2, 1, (50, 1))
    found = mean_over_starts(3 * few[:, 0] + 1, few, many)
    assert found.value == pytest.approx(3 * many.mean() + 1) and found.error == pytest.approx(
        3 / 100_000**0.5, rel=0.02
    )
    noise = draws.normal(0, 1, 50)
    assert mean_over_starts(noise, few, many).error == pytest.approx(noise.std() / 50**0.5, rel=0.1)


# The command.


def said(silent, oracle, attainable):
    def found(env, seed, num_episodes, tell):
        tell(0)
        success = Mean(env.ladder.attainable_success, 0.01)
        return Rungs(silent and Mean(silent, 0.01), Mean(oracle, 0.01), Mean(attainable, 0.01), success)

    return found


@pytest.mark.parametrize(("off", "status"), [(0.0, 0), (0.07, 0), (-0.09, 1)])
def test_a_number_in_the_code_that_is_wrong_fails(monkeypatch, capsys, off, status):
    ladder = make_env("simple_reference_v3").ladder
    monkeypatch.setattr(
        command, "rungs", lambda env, *rest: said(*env.ladder[:2], env.ladder.attainable + off)(env, *rest)
    )
    assert command.main(["simple_reference_v3"]) == status
    out, err = capsys.readouterr()
    assert f"{ladder.oracle:.3f} ± 0.010" in out and out.count("\n") == 3
    errors = [line for line in err.splitlines() if line.startswith("error")]
    assert len(errors) == status and all("discrete, attainable" in line for line in errors)


def test_a_rung_that_is_missing_fails():
    found = Rungs(None, Mean(-1.0, 0.0), Mean(-2.0, 0.0))
    assert list(command.differences(Ladder(None, -1.0, -2.0), found)) == []
    assert list(command.differences(None, found)) == [
        "oracle: None, computed: -1.0",
        "attainable: None, computed: -2.0",
    ]
    assert list(command.differences(Ladder(-3.0, -1.0, -2.0), found)) == ["silent: -3.0, computed: None"]


@pytest.mark.parametrize("arguments", [["simple_spred_v3"], ["simple_tag_v3"], ["--episodes", "9"], ["--seeds", "1"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.startswith("error: ") and error.count("\n") == 1
    assert "spred" not in arguments[0] or "did you mean 'simple_spread_v3'" in error


def test_every_ladder_is_computed_with_its_arguments():
    for name, several in command.ARGUMENTS.items():
        for arguments in several:
            for continuous in (False, True):
                ladder = make_env(name, continuous_actions=continuous, **arguments).ladder
                assert ladder.attainable <= ladder.oracle and 0 <= ladder.attainable_success <= 1
                assert (ladder.silent is not None) == (name in GOALS[1:])
