"""What a day of microgrid_v0 can cost at the least, and what those who know less make of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.microgrid import controllers, saving
from jaxmarl_comm.envs.microgrid.grids import CAPACITY, EFFICIENCY, POWER
from jaxmarl_comm.envs.microgrid.optimum import Days, hindsight, idle_costs, least_costs, team_costs
from jaxmarl_comm.envs.microgrid.settlement import Market
from jaxmarl_comm.evaluation.baselines import play_scripted, random_actor
from jaxmarl_comm.evaluation.episodes import starts
from jaxmarl_comm.evaluation.own import in_own_units, judged
from jaxmarl_comm.ladders import microgrid as ladder
from jaxmarl_comm.report.study import study_table
from jaxmarl_comm.study.row import is_row

NAME = "microgrid_v0"
DAYS = 4


@pytest.fixture(scope="module")
def env():
    return make_env(NAME, continuous_actions=True)


@pytest.fixture(scope="module")
def state(env):
    return jax.jit(Batch(env, DAYS).reset)(jax.random.key(0))[0]


@pytest.fixture(scope="module")
def days(env, state):
    return Days.of(env.grids, state.energy, state.day)


@pytest.fixture(scope="module")
def least(env, days):
    return least_costs(env.grids, env.market, days)


@pytest.fixture(scope="module")
def by_rung(env, days):
    """Costs of all, from few days to learn from."""
    return dict(ladder.rungs(env, days, days.some(slice(2))))


def flows_of(plans):
    return type(plans[0].flows)(*(np.stack(x) for x in zip(*(plan.flows for plan in plans), strict=True)))


def test_the_cheapest_plan_costs_in_settlement_what_the_program_says(env, days, least):
    plans = [hindsight(env.grids, env.market, days.some(k)) for k in range(DAYS)]
    np.testing.assert_allclose(team_costs(env.grids, env.market, days, flows_of(plans)), least, rtol=1e-6)
    for plan, before in zip(plans, days.energy, strict=True):
        charge, discharge, generated = plan.flows
        stored = before + np.cumsum(EFFICIENCY * charge - discharge / EFFICIENCY, axis=0)
        assert (stored > -1e-6).all() and (stored < CAPACITY + 1e-6).all()
        assert max(charge.max(), discharge.max()) < POWER + 1e-6 and (charge * discharge < 1e-6).all()
        assert (generated < env.grids.generator + 1e-6).all()


def test_the_cheapest_plan_costs_as_much_when_the_environment_steps_through_it(env, state, days, least):
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda x: jnp.asarray(np.asarray(x, float) if x.dtype.kind == "f" else x), state)
        day = jax.tree.map(lambda x: x[0], exact._replace(t=jnp.zeros(1, int)))
        plan, step, total = hindsight(env.grids, env.market, days.some(0)).flows, jax.jit(env.step), 0.0
        for charge, discharge, generated in zip(*plan, strict=True):
            shares = (charge - discharge) / POWER / 2 + 0.5, generated / env.grids.generator
            actions = jnp.asarray(np.stack(shares, axis=-1).clip(0, 1))
            day, ts = step(jax.random.key(0), day, {"grid": actions})
            total += float(ts.reward.mean())
    np.testing.assert_allclose(env.measures["cost"] * total, least[0], rtol=1e-6)


def test_nobody_is_below_the_least_and_who_knows_more_pays_less(by_rung):
    for costs in by_rung.values():
        assert (by_rung["least"] <= costs + 1e-6).all()
    means = {name: costs.mean() for name, costs in by_rung.items()}
    assert means["least"] <= means["central"] < means["silent"] < means["rules"] < means["idle"]
    assert means["central"] < means["selfish"]
    value_of_talk = (means["silent"] - means["central"]) / (means["idle"] - means["least"])
    assert value_of_talk > 0.15


def test_without_batteries_room_or_limits_nothing_is_saved_by_waiting(env, days):
    """Where the price is flat and the feeder carries all, batteries only lose."""
    flat = days._replace(price=np.full_like(days.price, 100.0), energy=np.zeros_like(days.energy))
    market = Market(limit=1e6, charge=0.0, export_ratio=0.3, energy_value=80.0)
    idle, best = idle_costs(env.grids, market, flat), least_costs(env.grids, market, flat)
    below = (days.net_load.sum(axis=-1) < 0).any(axis=-1)
    np.testing.assert_allclose(best[~below], idle[~below])
    assert (~below).any()


def test_where_nothing_can_be_saved_there_is_no_share(env, days):
    """The same, with generators that cost more than imports, and nothing to sell."""
    dear = env.grids._replace(fuel=env.grids.fuel + 1e4)
    here = days._replace(
        price=np.full_like(days.price, 80.0), energy=np.zeros_like(days.energy), net_load=np.abs(days.net_load)
    )
    market = Market(limit=1e6, charge=0.0, export_ratio=0.3, energy_value=80.0)
    paid = idle_costs(dear, market, here)[None] + 100.0
    with np.errstate(all="raise"):
        assert np.isnan(saving.shares(dear, market, here, paid)).all()


def test_a_planner_expects_the_forecast_and_what_will_be_left_of_its_error():
    day = Days(np.zeros(1), np.array([[2.0], [9.0], [9.0]]), np.array([[1.0], [3.0], [5.0]]), np.ones(3))
    np.testing.assert_allclose(controllers.expected(day, 0)[:, 0], [2, 3.7, 5.49])


def test_the_share_is_of_means_and_units_do_not_matter(env, days, least, monkeypatch):
    idle = idle_costs(env.grids, env.market, days)
    paid = np.stack([least, idle, (idle + least) / 2])
    found = saving.shares(env.grids, env.market, days, paid)
    np.testing.assert_allclose(found.mean(axis=1), [1, 0, 0.5], atol=1e-12)
    np.testing.assert_allclose(found[0], (idle - least) / np.mean(idle - least))
    in_cents = env.market._replace(charge=100 * env.market.charge, energy_value=100 * env.market.energy_value)
    cents = env.grids._replace(fuel=100 * env.grids.fuel), in_cents, days._replace(price=100 * days.price)
    monkeypatch.setattr("jaxmarl_comm.envs.microgrid.program.WEAR", 500.0)
    monkeypatch.setattr("jaxmarl_comm.envs.microgrid.settlement.WEAR", 500.0)
    np.testing.assert_allclose(saving.shares(*cents, 100 * paid), found, rtol=1e-6, atol=1e-9)
    monkeypatch.setattr(saving, "JUDGED", 1)
    assert np.isnan(saving.shares(*cents, 100 * paid)[:, 1:]).all()


def test_an_evaluation_tells_cost_and_share_of_the_days_that_were_played(env):
    batch, key = Batch(env, DAYS), jax.random.key(7)
    played = play_scripted(batch, random_actor(env), key)
    begun, _ = starts(batch, key)
    here = Days.of(env.grids, begun.energy, begun.day)
    costs = -300 * played.returns[0, :, 0]
    (found,) = judged(env, batch, key, played)
    share = saving.shares(env.grids, env.market, here, costs[None]).mean()
    assert found["share_of_saving"]["mean"] == pytest.approx(share) and share < 0.3
    assert in_own_units(env, played.returns)["cost"]["mean"] == pytest.approx(costs.mean())


def test_a_task_with_nothing_to_say_is_not_asked():
    simple = make_env("simple_v3")
    assert judged(simple, Batch(simple, 2), jax.random.key(0), None, None) == [{}, {}]
    assert in_own_units(simple, np.zeros((1, 2, 1))) == {}


def test_studies_have_a_column_of_what_the_task_measures():
    found = {"mean": 0.95, "low": 0.9, "high": 1.0, "of_each_seed": [0.95]}
    estimates = dict.fromkeys(("return", "success", "return_muted", "message_information", "bits_per_step"), found)
    row = {**estimates, "untrained": {"message_information": found}, "protocol": "talk", "field": None, "value": None}
    row |= {"config": {}, "curve": {}, "steps_per_second": 1.0, "protocol_fraction": None, "diverged": 0}
    row |= {"interval_over": "seeds", "measured": ["share_of_saving"], "share_of_saving": found}
    head, _, line = study_table([row], ("good",)).splitlines()
    assert head.split(" | ")[4] == "share of saving" and line.split(" | ")[4] == "0.95 [0.90, 1.00]"
    assert is_row(row, ("good",)) and not is_row(row | {"share_of_saving": None}, ("good",))


def test_the_command_fails_where_the_code_says_otherwise(monkeypatch, capsys):
    given = [("least", np.linspace(3955, 3965, 20)), ("silent", np.linspace(6000, 6010, 20))]
    monkeypatch.setattr(ladder, "rungs", lambda *_: iter(given))
    monkeypatch.setattr(ladder, "MANY", 50)
    monkeypatch.setattr(ladder, "least_costs", lambda grids, market, days: np.linspace(4000, 4010, len(days.price)))
    wrong = list(ladder.compute(20, 0))
    told = capsys.readouterr().out
    assert "least" in told and "silent" in told and "1.000 ± " in told
    assert len(wrong) == 1 and wrong[0].startswith(f"{NAME}, silent: ")
