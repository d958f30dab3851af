"""Populations: what mutations do to learners, what descendants have of parents, and runs, interrupted too."""

from functools import cache
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.algorithms.hyperparams import of_config
from jaxmarl_comm.algorithms.maddpg import Maddpg, some_of
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.ppo_state import Hyperparams
from jaxmarl_comm.algorithms.talk_losses import talk_losses
from jaxmarl_comm.cli import quick_test, read_config
from jaxmarl_comm.console import _mean as console_mean
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.messages import traffic
from jaxmarl_comm.evaluation.plays import player
from jaxmarl_comm.evolution.architecture import Architecture, Change, leaves_of
from jaxmarl_comm.evolution.evolver import Evolver
from jaxmarl_comm.evolution.fitness import fitness_key, measurer
from jaxmarl_comm.evolution.fittest import histories
from jaxmarl_comm.evolution.generations import Generations
from jaxmarl_comm.evolution.mutation import Mutation
from jaxmarl_comm.evolution.population import descended, heritage, measured, score
from jaxmarl_comm.evolution.run import PopulationRunner
from jaxmarl_comm.evolution_config import KINDS
from jaxmarl_comm.offpolicy_config import OffPolicyConfig
from jaxmarl_comm.report.generations import generation_table
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import Runner
from jaxmarl_comm.trees import unstack
from learners import lively, same
from runs import EVOLVING, FEW_OF_REPLAY

pytestmark = pytest.mark.long

KEY = jax.random.key(0)
EVERYTHING = {"architecture": 1.0, "activation": 1.0, "parameters": 1.0, "rl_hp": 1.0, "none": 1.0}
FEW = {"num_envs": 4, "num_minibatches": 2, "hidden_dim": 8, "log_interval": 2, "num_iters": 8}
ROOM = {"net.max_width": 16, "net.max_layers": 4, "net.activation": "tanh", "net.activations": ["relu", "gelu"]}
BITS = {"comm.preset": "commnet", "comm.discretise": "quantise", "comm.bits": 3, "comm.max_message_dim": 8}
RANGES = {"lr": [1e-4, 1e-1], "gamma": [0.5, 0.99], "comm.bits": [1, 8], "comm.message_dim": [2, 8]}
CFG = default_cfg().replace(
    {**FEW, **ROOM, **BITS, **EVOLVING, "evolution.ranges": RANGES, "evolution.probabilities": EVERYTHING}
)
OFF_POLICY = {"algorithm": "matd3", "comm.preset": "commnet", "env.continuous_actions": True, "num_envs": 2}


@pytest.fixture(scope="module")
def learner():
    return Mappo(CFG, CFG.make_env())


@pytest.fixture(scope="module")
def update(learner):
    """One iteration, compiled once, as no mutation changes the program."""
    return jax.jit(learner.update)


@pytest.fixture(scope="module")
def member(learner, update):
    return update(jax.jit(learner.init)(KEY))[0]


@pytest.fixture(scope="module")
def architecture(learner):
    return Architecture(CFG, learner.env)


def resized(shape, units=None, layers=None, activation=None):
    """The shape with other numbers."""
    changes = {"units": units and (jnp.arange(16) < units) * 1.0, "layers": layers and jnp.float32(layers)}
    changes["activation"] = None if activation is None else jnp.eye(3)[activation]
    return shape._replace(**{name: x for name, x in changes.items() if x is not None})


def changed(architecture, member, **numbers):
    before = architecture.shapes(member.params.policy)
    changes = {group: Change(shape, resized(shape, **numbers)) for group, shape in before.items()}
    return architecture.applied(KEY, member, changes), changes


def there(architecture, member, names, x):
    """1 where the leaf has weights that there are."""
    shape = architecture.shapes(member.params.policy)["agent"]
    return np.asarray(architecture._there(names, x, shape))


SIZES = [{"units": 12}, {"units": 4}, {"layers": 3}, {"layers": 4, "units": 16}, {"activation": 2}]


@pytest.mark.parametrize("numbers", SIZES, ids=str)
def test_what_is_there_learns_and_what_is_not_stays_nothing(architecture, member, update, numbers):
    state, _ = changed(architecture, member, **numbers)
    begin = state
    for _ in range(3):
        state, metrics = update(state)
    assert all(np.isfinite(x) for x in metrics.values())
    moved_of = dict(leaves_of(jax.tree.map(lambda a, b: a != b, begin.params, state.params)))
    moments = [x for x in jax.tree.leaves(state.opt_state) if x.ndim]
    assert all(np.isfinite(x).all() for x in moments)
    for names, x in leaves_of(state.params):
        if names[2].endswith("_shape"):
            assert not moved_of[names].any()
            continue
        exists, moved = there(architecture, begin, names, x), np.asarray(moved_of[names])
        assert not np.asarray(x)[exists == 0].any()
        if -2 in architecture.axes[names] or names[-1] == "bias":
            assert moved[exists == 1].all(), names
        elif -1 in architecture.axes[names]:  # what is always 0 in an observation teaches nobody
            assert moved.any(axis=-2)[exists.any(axis=-2)].all(), names


@pytest.mark.parametrize("numbers", [{"units": 4}, {"units": 12}, {"layers": 3}], ids=str)
def test_optimisers_forget_what_is_gone(architecture, member, numbers):
    state, _ = changed(architecture, member, **numbers)
    checked = 0
    for part in ("policy", "critic"):
        for names, x in leaves_of({part: getattr(state.opt_state, part)}):
            if x.ndim and not names[-2].endswith("_shape"):
                inside = tuple(name for name in names if name in ("policy", "critic") or name != "")
                names = tuple(name for name in inside if not name.isdecimal())
                exists = there(architecture, state, names, x)
                assert not np.asarray(x)[exists == 0].any()
                checked += (exists == 0).any()
    assert checked


@pytest.mark.parametrize("numbers", [{"units": 12}, {"layers": 3}, {"layers": 4, "units": 16}], ids=str)
@pytest.mark.parametrize("activation", [0, 1, 2])
def test_what_is_added_changes_nothing_yet(architecture, learner, member, numbers, activation):
    before, _ = changed(architecture, member, activation=activation)
    after, _ = changed(architecture, before, **numbers)
    for x, y in zip(outputs(learner, before), outputs(learner, after), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)
    assert not same(before.params, after.params)


@pytest.mark.parametrize("numbers", [{"units": 4}, {"activation": 1}], ids=str)
def test_what_is_taken_away_does(architecture, learner, member, numbers):
    after, _ = changed(architecture, member, **numbers)
    assert not same(outputs(learner, member), outputs(learner, after))


def outputs(learner, state):
    """What policies and critics make of where they are."""
    if "actions" not in CALLED:
        CALLED["actions"] = jax.jit(lambda s: _outputs(learner, s))
    return jax.tree.leaves(CALLED["actions"](state))


CALLED = {}


def _outputs(learner, state):
    return _decision(learner, state).outputs, learner.values(state, KEY, state.rollout)


def _decision(learner, state):
    now, team = state.rollout, learner.team(state)
    moment = learner.actor.chance(team, KEY, KEY, learner.view(now), now.env, learner.batch) | learner.notes(now)
    return learner.actor.step(team, learner.view(now), moment, lambda heard: heard)


def test_networks_with_room_begin_as_those_without(learner):
    plain_cfg = CFG.replace({"net.max_width": None, "net.max_layers": None, "net.activations": None,
                             "evolution": {}})  # fmt: skip
    plain = Mappo(plain_cfg, plain_cfg.make_env())
    ours, theirs = jax.jit(learner.init)(KEY), jax.jit(plain.init)(KEY)
    for x, y in zip(jax.tree.leaves(_outputs(learner, ours)), jax.tree.leaves(_outputs(plain, theirs)), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)


def test_only_units_that_learn_are_counted(architecture, member):
    keys = jax.random.split(KEY, 60)
    shapes = jax.vmap(lambda key: architecture.shapes(architecture.mutate(key, member).params.policy)["agent"])(keys)
    widths, layers = np.asarray(shapes.units.sum(axis=1)), np.asarray(shapes.layers)
    assert set(widths) == {4.0, 6.0, 8.0, 10.0, 12.0, 16.0}
    assert set(layers) == {2.0, 3.0}
    assert ((widths != 8) != (layers != 2)).all()  # one thing at a time


def test_critics_side_by_side_and_targets_grow_too():
    few = {name: CFG.model_dump()[name] for name in ("hidden_dim", "net", "log_interval")}
    cfg = default_cfg().replace(
        {**few, **EVOLVING, **OFF_POLICY, "batch_size": 64, "evolution.probabilities": EVERYTHING}
    )
    learner = Maddpg(cfg, cfg.make_env())
    state, of_matd3 = jax.jit(learner.init)(KEY), Architecture(cfg, learner.env)
    after, _ = changed(of_matd3, state, units=16, layers=3)
    obs = state.rollout.obs
    idle = {g: jnp.full((*x.shape[:-1], learner.env.action_spaces[g].dim), 0.3) for g, x in obs.items()}
    for before, grown in ((state.params, after.params), (state.targets, after.targets)):
        assert before.critic["params"]["agent_1"]["Dense_0"]["kernel"].shape[0] == 2
        assert not same(before, grown)
        values = [learner.critic.of(params.critic, obs, idle, idle) for params in (before, grown)]
        np.testing.assert_allclose(*values, atol=1e-6)
    assert set(np.asarray(after.params.critic["params"]["agent_shape"]["layers"])) == {3.0}


@pytest.mark.parametrize("name", [*type(CFG).varied, "comm.bits", "comm.message_dim"])
def test_a_changed_hyperparameter_changes_the_next_update(learner, member, update, name):
    low = learner.vary(member, {"clip_eps": jnp.array(1e-3), "vf_coef": jnp.array(20.0), "lr": jnp.array(1e-2)})
    number = {"gamma": 0.5, "gae_lambda": 0.2, "comm.bits": 1.0, "vf_coef": 1e-6, "clip_eps": 0.9}.get(name, 0.03)
    other = learner.vary(low, {name: jnp.array(number)})
    assert not same(update(low)[0].params, update(other)[0].params)


@pytest.fixture(scope="module")
def from_replay():
    """Kind of actions -> (learner from replay, its state once something is kept, its update)."""

    @cache
    def of(continuous):
        ranges = {"batch_size": [10, 50], "replay_ratio": [2, 8]}
        room = {"replay_ratio": 8.0, "max_replay_ratio": 8.0, "max_batch_size": 50}
        changes = {"env.continuous_actions": continuous, "learning_delay": 0, **room}
        cfg = default_cfg().replace({**FEW_OF_REPLAY, **EVOLVING, **changes, "evolution.ranges": ranges})
        learner = Maddpg(cfg, cfg.make_env())
        update = jax.jit(learner.update)
        return learner, update(jax.jit(learner.init)(KEY))[0], update

    return of


@pytest.mark.parametrize("name", OffPolicyConfig.varied)
def test_a_changed_hyperparameter_changes_the_next_update_from_replay(from_replay, name):
    learner, state, update = from_replay(name != "relaxation_temperature")
    other = learner.vary(state, {name: 0.5 * getattr(state.hparams, name)})
    ours, theirs = update(state)[0].params, update(other)[0].params
    assert not same(ours, theirs) or (name == "tau" and not same(update(state)[0].targets, update(other)[0].targets))


def test_fewer_updates_are_the_first_ones():
    def turn(now, key):
        return now + jax.random.uniform(key), {"now": now}

    now, metrics = some_of(turn, jnp.zeros(()), KEY, 5, jnp.array(3.0))
    steps = jnp.cumsum(jax.vmap(jax.random.uniform)(jax.random.split(KEY, 5)))
    np.testing.assert_allclose(now, steps[2], rtol=1e-6)
    np.testing.assert_allclose(metrics["now"], (0 + steps[0] + steps[1]) / 3, rtol=1e-6)


@pytest.mark.parametrize(
    ("channel", "sent"),
    [
        ({"comm.preset": "commnet"}, [1, 1, 1, 0, 0, 0, 0, 0]),
        # A head's keys come first, and are sent in any case.
        ({"comm.preset": "tarmac", "comm.key_dim": 2}, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]),
        ({"comm.preset": "tarmac", "comm.key_dim": 2, "comm.heads": 2}, [1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0]),
    ],
)
def test_numbers_of_a_message_that_are_only_room_are_not_sent(channel, sent):
    cfg = default_cfg().replace({**FEW, **channel, "comm.max_message_dim": 8, "comm.noise": 1.0})
    learner = Mappo(cfg, cfg.make_env())
    state = learner.vary(lively(learner), {"comm.message_dim": jnp.array(3.0)})
    talk = jax.jit(lambda s: _decision(learner, s).talk)(state)
    message = np.asarray(talk.packets.message)
    np.testing.assert_array_equal(message.all(axis=(0, 1, 2)), np.array(sent) == 1)
    np.testing.assert_array_equal(message.any(axis=(0, 1, 2)), np.array(sent) == 1)
    numbers = learner.team(state).numbers
    assert learner.actor.channel.bits_per_message(numbers) == 32 * (3 + cfg.comm.keys_dim)
    assert learner.actor.channel.share_of_room(numbers) == len(sent) / sum(sent)


def test_bits_beyond_those_of_the_config_arrive_wrong_as_often():
    noisy = {**BITS, "comm.max_message_dim": None, "comm.bits": 2, "comm.bit_flip": 0.5}
    channel = default_cfg().replace(noisy).channel(CFG.make_env())
    numbers = of_config(Hyperparams, CFG).comm._replace(bits=jnp.array(8.0), bit_flip=jnp.array(0.5))
    here = channel.circumstances(KEY, numbers, channel.start(200), None, training=True)
    content = jnp.full((200, 2, 8), 0.3)
    arrived = channel.emit(0, content, None, numbers, here).message
    assert 0.3 < np.abs(arrived - channel._discretise(content, numbers, here)).mean() < 0.9


def test_hyperparameters_stay_in_their_ranges(learner, member):
    mutation = Mutation(CFG, learner.env, make_algorithm(CFG, learner.env))
    bare = heritage(mutation.algorithm, member)
    step = jax.jit(jax.vmap(lambda key, s: mutation.hyperparameter(key, s)))
    states = jax.tree.map(lambda x: jnp.stack([x] * 16), bare)
    seen = []
    for k in range(60):
        before = states
        states = step(jax.random.split(jax.random.key(k), 16), states)
        seen.append([np.asarray(x) for x in numbers_of(states)])
        changed_of = [np.asarray(a != b) for a, b in zip(seen[-1], numbers_of(before), strict=True)]
        assert (np.sum(changed_of, axis=0) <= 1).all()  # the ranges' lr is the critics', too
    lr, gamma, bits, message_dim = (np.array(x) for x in zip(*seen, strict=True))
    np.testing.assert_array_equal(states.hparams.critic_lr, states.hparams.lr)
    for x, (low, high) in zip((lr, gamma, bits, message_dim), RANGES.values(), strict=True):
        assert x.min() >= np.float32(low)
        assert x.max() <= np.float32(high)
        assert len(np.unique(x)) > 4
    assert set(np.unique(bits)) <= set(range(1, 9)) and set(np.unique(message_dim)) <= set(range(2, 9))


def test_hyperparameters_are_drawn_anew_from_all_of_their_range(learner, member):
    cfg = CFG.replace({"evolution.resample_prob": 0.5, "evolution.ranges": {"lr": [1e-5, 1.0]}, "lr": 1e-2})
    mutation = Mutation(cfg, learner.env, make_algorithm(cfg, learner.env))
    states = jax.tree.map(lambda x: jnp.stack([x] * 4000), heritage(mutation.algorithm, member).hparams)
    bare = heritage(mutation.algorithm, member)._replace(hparams=states)
    axes = bare._replace(**{name: 0 if name == "hparams" else None for name in bare._fields})
    after = jax.vmap(lambda key, s: mutation.hyperparameter(key, s).hparams.lr, in_axes=(0, axes))
    ratio = np.asarray(after(jax.random.split(KEY, 4000), bare) / states.lr)
    by_factor = np.isclose(ratio, 1.2) | np.isclose(ratio, 0.8)
    assert 0.46 < by_factor.mean() < 0.54
    powers = np.log10(np.asarray(ratio * states.lr)[~by_factor])
    share_of_each, _ = np.histogram(powers, bins=5, range=(-5, 0))
    assert share_of_each.sum() == len(powers)
    np.testing.assert_allclose(share_of_each / len(powers), 0.2, atol=0.04)


def numbers_of(state):
    numbers = state.hparams.comm
    return state.hparams.lr, state.hparams.gamma, numbers.bits, numbers.message_dim


def test_noise_is_of_policies_and_leaves_room_empty(learner, member, architecture):
    mutation = Mutation(CFG, learner.env, make_algorithm(CFG, learner.env))
    after = mutation.parameters(KEY, member)
    assert same(member.params.critic, after.params.critic)
    touched = []
    for (names, x), (_, y) in zip(leaves_of(member.params), leaves_of(after.params), strict=True):
        if names[0] == "policy" and names[-1] == "kernel":
            exists = there(architecture, member, names, x) == 1
            assert not np.asarray(y)[~exists].any()
            touched.append(np.asarray(x != y)[exists])
    assert 0.05 < np.concatenate(touched).mean() < 0.16


@pytest.fixture(scope="module")
def population():
    """(evolver, two populations of four, started)"""
    cfg = CFG.replace({"num_seeds": 2, "evolution.fitness_window": 2, "evolution.target": 5.0})
    env = cfg.make_env()
    evolver = Evolver(cfg, env, make_algorithm(cfg, env))
    return evolver, jax.jit(evolver.start)(jax.random.split(KEY, 2))


def test_descendants_have_their_parents_gains_in_their_own_world(population):
    evolver, pop = population
    fitness = jnp.array([1.0, 4.0, 2.0, 3.0, 8.0, 5.0, 6.0, 7.0])
    judged = evolver.judge(pop, fitness, jnp.ones(8, bool))
    bred, told = jax.jit(evolver.breed)(judged, jnp.ones(8, bool))
    parents, kinds = np.asarray(told["parent"]), np.asarray(told["mutation"])
    assert (parents[1], parents[4]) == (1, 0)
    assert (kinds[[1, 4]] == KINDS.index("none")).all()
    wheres = parents + np.repeat([0, 4], 4)
    before, after = unstack_members(evolver, judged), unstack_members(evolver, bred)
    for slot, where in enumerate(wheres):
        assert same(before[slot].rollout.obs, after[slot].rollout.obs)
        assert same(before[where].params, after[slot].params) == (KINDS[kinds[slot]] in ("none", "rl_hp"))
    assert same(before[1]._replace(key=0), after[1]._replace(key=0))
    np.testing.assert_array_equal(bred.fitness[..., -1].ravel(), fitness[wheres])


def unstack_members(evolver, population):
    states = population.members._replace(key=jnp.zeros(8))
    batched = heritage(evolver.algorithm, states)._replace(rollout=states.rollout._replace(env=None), key=states.key)
    return unstack(batched)


def test_who_diverged_goes_on_where_its_parent_is(population):
    evolver, pop = population
    broken = jnp.arange(8) == 3
    parents = jnp.array([0, 1, 2, 0, 4, 5, 6, 4])
    found = descended(evolver.algorithm, pop.members, parents, broken)
    obs, had = found.rollout.obs["agent"], pop.members.rollout.obs["agent"]
    np.testing.assert_array_equal(obs[3], had[0])
    np.testing.assert_array_equal(obs[7], had[7])
    assert same(jax.random.key_data(found.key), jax.random.key_data(pop.members.key))


def test_fitness_is_the_mean_of_a_window_and_nothing_of_who_diverged(population):
    evolver, pop = population
    pop = evolver.judge(pop, jnp.arange(8.0), jnp.arange(8) != 3)
    np.testing.assert_array_equal(score(pop.fitness), [[0, 1, 2, -np.inf], [4, 5, 6, 7]])
    np.testing.assert_array_equal(pop.best, [2, 7])
    assert not evolver.over(pop)  # the first has not reached the target of 5
    pop = measured(pop, jnp.full((2, 4), 10.0))
    np.testing.assert_array_equal(score(pop.fitness), [[5, 5.5, 6, 10], [7, 7.5, 8, 8.5]])
    assert evolver.over(pop)
    np.testing.assert_array_equal(pop.stale, [0, 0])
    np.testing.assert_array_equal(measured(pop, jnp.zeros((2, 4))).stale, [1, 1])


def test_who_diverged_is_told_without_fitness(population):
    evolver, pop = population
    cfg = CFG.replace({"num_seeds": 2})
    generations = Generations(cfg, cfg.make_env(), evolver.algorithm)
    generations.measure = lambda key, teams: jnp.arange(8.0)
    generations.judge = evolver.judge
    first_bad = jnp.where(jnp.arange(8) == 3, 7, -1)
    _, told = generations.after(pop, {"first_bad": first_bad}, cfg.num_iters - 2, cfg.num_iters)
    np.testing.assert_array_equal(told["fitness"], [0, 1, 2, np.nan, 4, 5, 6, 7])


@pytest.mark.parametrize(
    ("learning_delay", "burn_in", "judged"),
    [(200, 0, [False, False, True]), (200, 6, [False, False, True]), (0, 4, [False, True, True]), (0, 0, [True] * 3)],
)
def test_there_is_no_generation_before_anybody_has_learned(population, learning_delay, burn_in, judged):
    _, pop = population
    more = {"learning_delay": learning_delay, "evolution.burn_in": burn_in, "evolution.target": -1e9}
    cfg = default_cfg().replace({**FEW_OF_REPLAY, **EVOLVING, **more})
    generations = Generations(cfg, cfg.make_env(), make_algorithm(cfg, cfg.make_env()))
    generations.measure, generations.judge = lambda key, teams: jnp.arange(8.0), lambda state, *_: state
    generations.tell, generations.over = lambda state: {}, lambda state: True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxmarl_comm.evolution.generations.teams_of", lambda *_: None)
        told = [generations.after(pop, {"first_bad": -jnp.ones(8)}, done - 2, done)[1] for done in (2, 4, 6)]
    assert cfg.learn_from == learning_delay / 50
    assert ["fitness" in row for row in told] == judged


def test_a_table_ranks_as_selection_does(population):
    evolver, pop = population
    pop = measured(evolver.judge(pop, jnp.arange(8.0), jnp.arange(8) != 3), jnp.array([[9.0, 1, 1, 1], [0, 0, 0, 0]]))
    cfg = CFG.replace({"num_seeds": 2, "evolution.fitness_window": 2, "num_iters": 100})
    generations = Generations(cfg, cfg.make_env(), evolver.algorithm)
    generations.measure, generations.judge = lambda key, teams: None, lambda state, *_: state
    generations.breed = lambda state, alive: (state, {})
    _, told = generations.after(pop, {"first_bad": -jnp.ones(8)}, 0, 2)
    np.testing.assert_array_equal(told["fitness_mean"], [4.5, 1, 1.5, 1, 2, 2.5, 3, 3.5])
    lines = generation_table(cfg, {name: np.asarray(x).tolist() for name, x in told.items()}).splitlines()
    assert [line.split()[:3] for line in lines[2:6]] == [
        ["0", "9.00", "4.50"], ["2", "1.00", "1.50"], ["1", "1.00", "1.00"], ["3", "1.00", "1.00"]
    ]  # fmt: skip


def test_a_generation_of_unknown_fitness_ends_the_run():
    runner = SimpleNamespace(cfg=CFG.replace({"num_seeds": 2}), env=CFG.make_env())
    PopulationRunner.check_fitness(runner, {"return": np.zeros(8)})
    PopulationRunner.check_fitness(runner, {"fitness": np.array([np.nan, 1, 2, 3, 4, np.nan, 6, 7])})
    with pytest.raises(RunError, match="nobody's fitness is a number in population 1"):
        PopulationRunner.check_fitness(runner, {"fitness": np.array([0, 1, 2, 3, *[np.nan] * 4])})


def test_a_column_is_the_mean_of_those_that_did_not_diverge():
    assert console_mean({"return": [1.0, np.nan, 3.0]}, "return") == 2
    assert np.isnan(console_mean({"return": [np.nan]}, "return"))


def test_the_first_member_begins_as_the_run_alone(population, tmp_path):
    evolver, pop = population
    alone = CFG.replace({"evolution": {}, "num_seeds": 2})
    runner = Runner(alone, RunFolder.create(tmp_path / "run", alone))
    state = runner.init(jax.random.split(KEY, 2))
    firsts = jax.tree.map(lambda x: x[::4], heritage(evolver.algorithm, pop.members))
    assert same(heritage(evolver.algorithm, state), firsts)


def test_each_bit_has_its_price(learner, member):
    costly = CFG.replace({"evolution.bit_price": 0.01})
    algorithm = make_algorithm(CFG, learner.env)
    team = jax.tree.map(lambda x: jnp.stack([x, x]), learner.team(member))
    numbers = team.numbers._replace(bits=jnp.array([3.0, 1.0]))
    key = fitness_key(CFG, jnp.array(1))
    free, paid = (measurer(cfg, learner.env, algorithm)(key, team._replace(numbers=numbers)) for cfg in (CFG, costly))
    # 25 messages of 8 numbers, of 3 bits or of 1.
    np.testing.assert_allclose(free - paid, [0.01 * 25 * 8 * 3, 0.01 * 25 * 8], rtol=1e-4)


def test_bits_are_counted_as_each_population_sends_them(learner, member):
    team = jax.tree.map(lambda x: jnp.stack([x, x]), learner.team(member))
    team = team._replace(numbers=team.numbers._replace(bits=jnp.array([3.0, 1.0])))
    batch = Batch(learner.env, 4)
    episodes = player(CFG, batch, make_algorithm(CFG, learner.env), KEY)(team, "greedy")
    _, bits = traffic(CFG, learner.env, episodes)
    np.testing.assert_array_equal(bits, np.repeat([[25 * 8 * 3], [25 * 8]], 4, axis=1))


def test_a_price_of_bits_in_training_is_that_of_the_bits_that_are_sent(learner, member):
    comm = CFG.replace({"comm.bit_price": 0.5, "comm.message_price": 0.25}).comm
    own = learner.actor.channel
    channel = SimpleNamespace(cfg=comm, bits_per_message=own.bits_per_message, share_of_room=own.share_of_room)
    actor = SimpleNamespace(channel=channel, env=learner.env)
    packets = SimpleNamespace(sent=jnp.ones((4, 5, 1, 2)), message=jnp.zeros((4, 5, 1, 2, 8)))
    numbers = learner.team(member).numbers._replace(bits=jnp.array(1.0))
    losses, _ = talk_losses(actor, numbers, SimpleNamespace(talk=SimpleNamespace(packets=packets)), None)
    np.testing.assert_allclose(losses, [0.25 + 0.5 * 8])


def test_histories_follow_ancestors():
    rows = [
        {"iteration": 1, "return": [1, 2, 3, 4]},
        {"iteration": 2, "return": [5, 6, 7, 8], "fitness": [0, 0, 0, 0], "parent": [1, 1, 0, 0], "mutation": [0] * 4},
        {"iteration": 3, "return": [9, 10, 11, 12], "member/lr": [0] * 4},
    ]
    found = histories(rows, np.array([0, 3]), 2)
    assert [row["return"] for row in found] == [[2, 3], [6, 7], [9, 12]]
    assert [set(row) for row in found] == [{"iteration", "return"}] * 3


def test_a_quick_test_of_a_population_has_generations():
    assert quick_test(CFG, {})["evolution.evo_interval"] == 2
    assert quick_test(default_cfg(), {"evolution.population_size": 4})["evolution.evo_interval"] == 2
    for none in ({}, {"evolution.population_size": 1}, {"evolution.population_size": "many"}):
        assert "evolution.evo_interval" not in quick_test(default_cfg(), none)
    for name in ("evolve_ref.yaml", "evolve_bits.yaml", "evolve_as_agilerl.yaml"):
        assert (cfg := read_config(name, {})).replace(quick_test(cfg, {})).breeds_from < 5
    shared = {"algorithm": "matd3", "evolution.population_size": 16, "evolution.share_replay": True}
    assert default_cfg().replace({**quick_test(default_cfg(), shared), **shared}).slots >= 1
