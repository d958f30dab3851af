"""microgrid_v0: what an hour does and costs, who sees what, and days out of a file."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms.maddpg import Maddpg
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.microgrid.grids import CAPACITY, EFFICIENCY, POWER, WEAR, grids
from jaxmarl_comm.envs.microgrid.profiles import FLUCTUATION, PERSISTENCE, fluctuation, yields
from jaxmarl_comm.envs.microgrid.settlement import Flows, Market, costs, fuel_cost, within_reach
from jaxmarl_comm.envs.microgrid.task import SCALE

NAME = "microgrid_v0"
HOUR = {"limit": 1.0, "charge": 400.0, "export_ratio": 0.25, "energy_value": 80.0}


@pytest.fixture(scope="module")
def env():
    return make_env(NAME)


@pytest.fixture(scope="module")
def start(env):
    return jax.jit(env.reset)(jax.random.key(0))[0]


def hour(net_load, charge=0.0, discharge=0.0, generated=0.0, price=100.0, **terms):
    """What three grids pay."""
    net_load, *flows = (np.broadcast_to(np.asarray(x, float), 3) for x in (net_load, charge, discharge, generated))
    return costs(grids(3, True), Market(**HOUR | terms), np.asarray(price), net_load, Flows(*flows))


def test_whoever_imports_pays_the_price_and_its_share_of_what_is_beyond_the_limit():
    np.testing.assert_allclose(hour([0.2, 0.2, 0.4]), [20, 20, 40])
    np.testing.assert_allclose(hour([0.5, 0.5, 1.0]), [150, 150, 300])  # 2 MW: 200 $, and 400 $ for one too many


def test_surplus_goes_to_neighbours_first_at_the_mean_price_and_the_rest_is_exported():
    np.testing.assert_allclose(hour([0.4, -0.4, 0.0]), [25, -25, 0])  # (100 + 25) / 2
    np.testing.assert_allclose(hour([0.4, -0.4, 0.4]), [32.5, -25, 32.5])  # and half of what is lacked is imported
    np.testing.assert_allclose(hour([0.2, -0.4, -0.4]), [12.5, -13.75, -13.75])  # and 0.6 exported for 15 $
    np.testing.assert_allclose(hour(0.0), 0)


def test_a_generator_costs_more_with_each_quarter_and_a_battery_wears_and_is_booked():
    own = grids(3, True)
    full = own.generator * own.fuel.mean(axis=1)
    np.testing.assert_allclose(fuel_cost(own, own.generator), full)
    np.testing.assert_allclose(
        fuel_cost(own, own.generator * 3 / 8), own.generator * (own.fuel[:, 0] / 4 + own.fuel[:, 1] / 8)
    )
    charged = 0.2 * (WEAR + 100 - 80 * EFFICIENCY)
    np.testing.assert_allclose(hour(0.0, charge=[0.2, 0, 0]), [charged, 0, 0])
    discharged = 0.2 * (WEAR - 100 + 80 / EFFICIENCY)
    np.testing.assert_allclose(hour(0.2, discharge=[0.2, 0, 0]), [discharged + 20, 20, 20])


def test_payments_among_neighbours_cancel_in_what_the_team_pays():
    draws = np.random.default_rng(0)
    net_load = draws.normal(size=(1000, 3))
    flows = Flows(*draws.uniform(0, 0.3, (3, 1000, 3)))
    price, market, own = draws.uniform(50, 200, 1000), Market(**HOUR), grids(3, True)
    drawn = (net_load + flows.charge - flows.discharge - flows.generated).sum(axis=-1)
    pooled = np.where(drawn > 0, price, 0.25 * price) * drawn + 400 * np.maximum(drawn - 1, 0)
    alone = fuel_cost(own, flows.generated) + WEAR * (flows.charge + flows.discharge)
    booked = 80 * (flows.discharge / EFFICIENCY - EFFICIENCY * flows.charge)
    expected = pooled + (alone + booked).sum(axis=-1)
    np.testing.assert_allclose(costs(own, market, price, net_load, flows).sum(axis=-1), expected)


def test_a_battery_does_what_it_can():
    energy = np.array([0.0, 0.1, CAPACITY, CAPACITY - 0.1, 0.5])
    charge, discharge, after = within_reach(energy, np.array([-POWER, -POWER, POWER, POWER, -0.2]))
    np.testing.assert_allclose(charge, [0, 0, 0, 0.1 / EFFICIENCY, 0])
    np.testing.assert_allclose(discharge, [0, 0.1 * EFFICIENCY, 0, 0, 0.2])
    np.testing.assert_allclose(after, [0, 0, CAPACITY, CAPACITY, 0.5 - 0.2 / EFFICIENCY])
    np.testing.assert_allclose(within_reach(np.array([0.5]), np.array([9.0]))[0], POWER)


def test_energy_is_conserved_and_no_power_is_beyond_its_bounds(env, start):
    step, state = jax.jit(env.step), start
    for key in jax.random.split(jax.random.key(1), env.max_cycles):
        before, asked = state, jax.random.randint(key, (3,), 0, env.levels**2)
        state, ts = step(key, state, {"grid": asked})
        gained = EFFICIENCY * state.flows.charge - state.flows.discharge / EFFICIENCY
        np.testing.assert_allclose(state.energy - before.energy, gained, atol=1e-6)
        assert (state.energy >= 0).all() and (state.energy <= CAPACITY).all()
        assert (state.flows.charge * state.flows.discharge == 0).all()
        assert (state.flows.generated <= env.grids.generator + 1e-6).all()
        paid = costs(env.grids, env.market, before.day.price[before.t], env.net_load(before), state.flows)
        np.testing.assert_allclose(ts.reward, -paid / SCALE, rtol=1e-5)
    assert ts.truncated and not ts.terminated


def test_levels_and_vectors_agree_where_they_meet(env, start):
    vectors, step = make_env(NAME, continuous_actions=True), jax.jit(env.step)
    for battery, generator in ((0, 4), (2, 0), (3, 1), (4, 2)):
        index = jnp.full(3, battery + env.levels * generator)
        vector = jnp.broadcast_to(jnp.array([battery, generator]) / (env.levels - 1), (3, 2))
        by_level, by_vector = (
            step(jax.random.key(0), start, {"grid": index}),
            vectors.step(jax.random.key(0), start, {"grid": vector}),
        )
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), by_level, by_vector)


def test_a_grid_sees_its_own_and_what_all_know(env, start):
    seen = np.asarray(env.observe(start)["grid"])
    day, other = start.day, np.array([False, True, True])[:, None]
    of_day = {"load": jnp.where(other, day.load * 2, day.load), "forecast": jnp.where(other, 0, day.forecast)}
    of_others = start._replace(energy=jnp.where(other[:, 0], 0, start.energy), **of_day)
    now = np.asarray(env.observe(of_others)["grid"])
    np.testing.assert_array_equal(now[0], seen[0])
    assert (now[1:] != seen[1:]).any(axis=1).all()
    ahead = seen[:, 9 : 9 + env.obs_forecast]
    np.testing.assert_allclose(ahead, day.forecast[:, 1 : 1 + env.obs_forecast])
    end = np.asarray(env.observe(start._replace(t=jnp.array(env.max_cycles)))["grid"])
    assert not end[:, 9 : 9 + env.obs_forecast].any()


def test_an_unseen_battery_asked_for_too_much_is_charged_only_if_asked(env, start):
    strict = make_env(NAME, penalty=50.0)
    empty = start._replace(energy=jnp.zeros(3))
    rewards = [task.step(jax.random.key(0), empty, {"grid": jnp.zeros(3, int)})[1].reward for task in (env, strict)]
    np.testing.assert_allclose(rewards[0] - rewards[1], 50 * POWER / SCALE, rtol=1e-4)


def test_a_batch_steps_as_each_by_itself(env):
    batch, keys = Batch(env, 3), jax.random.split(jax.random.key(2), 3)
    actions = jnp.array([[0, 5, 24], [3, 3, 3], [12, 1, 20]])
    state, _ = batch.reset(jax.random.key(2))
    together = jax.jit(batch.step)(jax.random.key(0), state, {"grid": actions})
    for k, key in enumerate(keys):
        alone = env.step(key, jax.jit(env.reset)(key)[0], {"grid": actions[k]})
        jax.tree.map(
            lambda one, of_all, k=k: np.testing.assert_allclose(
                one, of_all[k] if of_all.ndim > one.ndim else of_all, atol=1e-5
            ),
            alone,
            together,
        )


def test_days_differ_but_in_fixed_weather_and_goals_are_when_shifts_work(env):
    state, _ = Batch(env, 400).reset(jax.random.key(3))
    goals = np.asarray(Batch(env, 400).goals(state))
    assert np.bincount(goals.ravel(), minlength=3).min() > 300
    load = np.asarray(state.day.load)
    for goal, begins in enumerate((8, 12, 16)):
        assert (load[goals == goal][:, begins : begins + 4].min(axis=1) > 1).all()
    fixed, _ = Batch(mean := make_env(NAME, weather="fixed"), 2).reset(jax.random.key(3))
    np.testing.assert_array_equal(fixed.day.load[0], fixed.day.load[1])
    assert (fixed.energy[0] != fixed.energy[1]).all() and mean.num_goals == 0 and (mean.goals(fixed) == -1).all()


def test_fluctuations_persist_as_planners_think():
    waves = np.asarray(jax.vmap(fluctuation)(jax.random.uniform(jax.random.key(0), (20_000, 1, 6))))[:, 0]
    np.testing.assert_allclose(waves.std(axis=0), FLUCTUATION, rtol=0.03)
    np.testing.assert_allclose(np.corrcoef(waves.T)[0], PERSISTENCE ** np.arange(6), atol=0.03)


@pytest.mark.parametrize("price", ["tou", "flat", "rt"])
def test_prices(price):
    env = make_env(NAME, price=price, num_grids=2)
    day = jax.jit(env.draw)(jax.random.key(0))
    told = np.asarray(day.price)[: env.max_cycles]
    assert len(set(told.tolist())) == {"tou": 3, "flat": 1, "rt": 24}[price] and (told > 0).all()
    assert env.market.energy_value == (110 if price == "flat" else 80)


def table(rows=48, **columns):
    """CSV of two grids."""
    hours = np.arange(rows)
    all_columns = {
        "load_1": hours,
        "load_2": hours / 2,
        "solar": hours % 2,
        "wind": 0.5 + 0 * hours,
        "price": 40 + hours,
    }
    all_columns |= columns
    kept = {name: values for name, values in all_columns.items() if values is not None}
    return "\n".join([",".join(kept), *(",".join(map(str, row)) for row in zip(*kept.values(), strict=True))])


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "profiles.csv"
        path.write_text(text)
        return str(path)

    return to_file


def test_days_are_those_of_a_file(write):
    env = make_env(NAME, num_grids=2, profiles=write(table()))
    days = jax.jit(jax.vmap(env.draw))(jax.random.split(jax.random.key(0), 20))
    first = np.asarray(days.load)[:, 0, 0]
    assert set(first.tolist()) == {0.0, 24.0} and env.market.energy_value == 40
    day = jax.tree.map(lambda x: x[int(first.argmax())], days)
    np.testing.assert_allclose(day.load, [np.arange(24, 48), np.arange(24, 48) / 2])
    np.testing.assert_allclose(day.price[:24], np.arange(64, 88))
    np.testing.assert_allclose(yields(env.grids, day)[0], 0.25 * (np.arange(24) % 2) + 0.05 * 0.5)
    fixed = make_env(NAME, num_grids=2, profiles=env.profiles, weather="fixed").draw(jax.random.key(1))
    np.testing.assert_allclose(fixed.forecast[:, :24], fixed.load - yields(env.grids, fixed), rtol=1e-5)


@pytest.mark.parametrize(
    "text, said",
    [
        (table(load_2=None), "must have a column 'load_2' once, but has it not, did you mean 'load_1'"),
        (table(wind=["calm"] * 48), "row 1, column 'wind' is 'calm', but must be a number from 0 to 1"),
        (table(price=[50.0] * 47 + [float("nan")]), "row 48, column 'price' is 'nan', but must be a number"),
        (table(price=[-5.0] * 48), "column 'price' is '-5.0', but must be a number from 1e-06"),
        (table().replace(",", ";"), "has semicolons between its columns, but must have commas"),
        (table(rows=23), "has 23 rows of numbers, but needs at least 24"),
        (table() + "\n1,2", "row 49, column 'solar' is '', but must be"),
        (table().replace("load_2", "load_1"), "must have a column 'load_1' once, but has it twice"),
        ("", "is empty: its first line must name the columns"),
        ("\udcff".encode("utf-8", "surrogateescape"), "is not a text file"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_line(text, said, tmp_path):
    path = tmp_path / "profiles.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match="profiles") as error:
        make_env(NAME, num_grids=2, profiles=str(path))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read profiles .*none\.csv: No such file"):
        make_env(NAME, profiles=str(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_grids": 0},
        {"levels": 4},
        {"export_ratio": 1.5},
        {"feeder_limit": -1.0},
        {"price": "dear"},
        {"obs_forecast": 25},
    ],
)
def test_impossible_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_env(NAME, **wrong)


def test_a_picture(env, start):
    picture = env.render(start)
    assert picture.shape == (480, 640, 3) and picture.std() > 0


@pytest.mark.long
@pytest.mark.parametrize("algorithm, learner", [("mappo", Mappo), ("matd3", Maddpg)])
def test_it_is_learned_from(algorithm, learner):
    sizes = {"num_envs": 4, "rollout_len": 24, "hidden_dim": 8, "num_iters": 2}
    sizes |= (
        {"num_minibatches": 2} if algorithm == "mappo" else {"learning_delay": 1, "buffer_size": 960, "batch_size": 8}
    )
    cfg = default_cfg().replace(
        {"algorithm": algorithm, "env.name": NAME, "env.continuous_actions": algorithm == "matd3", **sizes}
    )
    made = learner(cfg, cfg.make_env())
    _, metrics = jax.jit(lambda key: made.update(made.init(key)))(jax.random.key(0))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves({k: v for k, v in metrics.items() if k != "return"}))
