"""What passes from room to room has the shape and type that both sides rely on, or is refused while tracing."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import runner
from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.algorithms.losses import policy_loss, value_loss
from jaxmarl_comm.algorithms.returns import ValueNorm, gae, share_rewards
from jaxmarl_comm.algorithms.rollout import Moved, rollout, start
from jaxmarl_comm.comm import aggregate, corrupt, discretise, route
from jaxmarl_comm.config import default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation import quick_evaluator
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.trees import where_each

T, E, N, M = 4, 3, 2, 5
X = jnp.zeros((T, E, N))
FLAGS = jnp.zeros((T, E, 1), bool)
CONTENT = jnp.zeros((E, N, M))


@pytest.mark.parametrize(
    "mistaken",
    [
        lambda: gae(X, X, X[:-1], FLAGS, FLAGS, 0.9, 0.9),
        lambda: gae(X, X, X, FLAGS[..., 0], FLAGS[..., 0], 0.9, 0.9),  # environments would meet agents
        lambda: gae(X, X, X, FLAGS * 1.0, FLAGS, 0.9, 0.9),
        lambda: share_rewards(X, (0, 0, 0), 0.5),
        lambda: ValueNorm.start(N + 1).update(X, 0.99),
        lambda: policy_loss(X, X[..., :1], 0.2),
        lambda: value_loss(X, X, X[0], 0.2, 0),  # broadcasting would hide it
        lambda: aggregate.total(CONTENT, jnp.ones((N + 1, N + 1))),
        lambda: aggregate.maximum(CONTENT, jnp.ones((N, N)), jnp.ones((N, 1))),
        lambda: route.nearest(jnp.zeros((E, N, 3)), 1, (0, 0)),
        lambda: corrupt.add_noise(CONTENT, 1.0, CONTENT[0]),
        lambda: corrupt.flip_signs(CONTENT, CONTENT),
        lambda: discretise.straight_through(CONTENT, CONTENT[:1]),
        lambda: where_each(jnp.ones(N, bool), CONTENT, CONTENT),
    ],
)
def test_wrong_shapes_and_types_are_refused(mistaken):
    with pytest.raises(AssertionError, match="Chex"):
        jax.eval_shape(mistaken)


@pytest.mark.parametrize("wrong", ["log_probs", "memory"])
def test_a_team_that_breaks_the_contract_is_refused(wrong):
    batch = Batch(make_env("simple_spread_v3"), E)
    memory = np.zeros((E, 1))
    right = Moved({"agent": np.zeros((E, 3), int)}, np.zeros((E, 3)), memory, {})
    moved = right._replace(**{wrong: getattr(right, wrong)[:, :, None]})

    def play(key):
        begin = start(batch, memory, key)
        return rollout(batch, lambda *_: moved, lambda *_: jnp.zeros((E, 3)), key, begin, memory, 2)

    with pytest.raises(AssertionError, match="Chex"):
        jax.eval_shape(play, jax.random.key(0))


def test_contracts_cost_nothing_when_running():
    with_contracts, without = [str(jax.make_jaxpr(_advantages)(X)) for _ in _checks_on_and_off()]
    assert with_contracts == without


def _advantages(x):
    return gae(x, x, x, FLAGS, FLAGS, 0.9, 0.9)


def _checks_on_and_off():
    yield
    chex.disable_asserts()
    yield
    chex.enable_asserts()


@pytest.fixture
def cfg():
    sizes = {"hidden_dim": 8, "num_envs": 4, "num_minibatches": 1, "rollout_len": 2, "num_iters": 6, "log_interval": 2}
    return default_cfg().replace({"env.name": "simple_v3", "comm.preset": "none", "eval_episodes": 4, **sizes})


def test_an_update_is_traced_once_for_all_chunks_of_a_run(cfg, tmp_path, monkeypatch):
    right = runner.make_algorithm

    def guarded(cfg, env):
        algorithm = right(cfg, env)
        return algorithm._replace(update=chex.assert_max_traces(algorithm.update, 1))

    chex.clear_trace_counter()
    monkeypatch.setattr(runner, "make_algorithm", guarded)
    folder = RunFolder.create(tmp_path / "run", cfg)
    runner.Runner(cfg, folder).run()
    assert len(folder.read_metrics(cfg.num_seeds)) == 3


def test_later_evaluations_trace_nothing(cfg):
    env, traced = make_env("simple_v3"), []
    algorithm = make_algorithm(cfg, env)
    noting = algorithm._replace(act=lambda *given: traced.append(given) or algorithm.act(*given))
    init = jax.jit(jax.vmap(algorithm.init, out_axes=algorithm.state_axes))
    states = init(jax.random.split(jax.random.key(0), cfg.num_seeds))
    evaluate, teams = quick_evaluator(cfg, env, noting), jax.device_get(runner.teams_of(algorithm, states))
    evaluate(teams)
    first = len(traced)
    evaluate(jax.tree.map(lambda x: x + 1, teams))
    assert len(traced) == first > 0
