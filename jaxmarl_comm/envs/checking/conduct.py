"""What a task does when it is played: whether that is what its word promises."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array, Env, State, TimeStep
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.checking.form import actions_like
from jaxmarl_comm.envs.judgement import judgement
from jaxmarl_comm.envs.outside import in_words
from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.trees import map_axes

COPIES = 8  # environments that are played side by side
TOLERANCE = 1e-4  # of what is computed in another order
LONGEST = 1_000  # steps that are played, of episodes that are longer


def mistakes_of_conduct(env: Env) -> Iterator[str]:
    """What is wrong when the task is played, a line each. Its form must be right."""
    for look in (_is_pure, _uses_keys_once, _of_episodes, _is_the_same_compiled, _is_the_same_side_by_side):
        found = list(_told(lambda look=look: look(env)))  # type: ignore[misc]
        yield from found
        if found:
            return


def _of_episodes(env: Env) -> Iterator[str]:
    states, ts = episodes(env)
    yield from _keeps_the_clock(env, states, ts)
    yield from _is_finite(ts)
    yield from _shows_what_it_says(env, states, ts)
    yield from _has_gradients(env, states)
    yield from _judges(env, states)


def _told(look: Callable[[], Iterator[str]]) -> Iterator[str]:
    try:
        yield from look()
    except Exception as error:  # whatever somebody's code does
        yield f"playing fails: {in_words(error)}"


def random_actions(env: Env, key: Array, *batch_shape: int) -> dict[str, Array]:
    """Any actions that are allowed, for all groups."""
    keys = jax.random.split(key, len(env.groups))
    return {
        group: jax.random.uniform(k, like.shape)
        if env.continuous_actions
        else jax.random.randint(k, like.shape, 0, env.action_spaces[group].n)
        for k, (group, like) in zip(keys, actions_like(env, *batch_shape).items(), strict=True)
    }


def _is_pure(env: Env) -> Iterator[str]:
    """The same arguments, the same results: nothing is drawn but from keys, nothing kept but in the state."""
    key, own = jax.random.key(0), {field.name: getattr(env, field.name) for field in fields(env)}
    kept = copy.deepcopy({**vars(env), **own})
    state, first = env.reset(key)
    if differ((state, first), env.reset(key)):
        yield "reset is not pure: the same key gives other starts (draw from the key alone, keep all in the state)"
        return
    actions = random_actions(env, jax.random.key(1))
    if differ(env.step(key, state, actions), env.step(key, state, actions)):
        yield "step is not pure: the same arguments lead elsewhere (draw from the key alone, keep all in the state)"
        return
    now = vars(env)
    if changed := [name for name, before in kept.items() if name in now and not _alike(before, now[name])]:
        yield f"the task changes itself as it is played: its {changed[0]}; what changes must be in the state"


def _uses_keys_once(env: Env) -> Iterator[str]:
    actions = random_actions(env, jax.random.key(1))
    state, _ = env.reset(jax.random.key(0))
    calls = {"reset": env.reset, "step": lambda key: env.step(key, state, actions)}
    for name, call in calls.items():
        try:
            with jax.debug_key_reuse(True):
                jax.jit(call)(jax.random.key(0))
        except jax.errors.KeyReuseError:
            yield f"{name} uses a key twice, so that what it draws is the same: jax.random.split gives one for each use"


def _is_the_same_compiled(env: Env) -> Iterator[str]:
    key, actions = jax.random.key(0), random_actions(env, jax.random.key(1))
    state, first = env.reset(key)
    if differ((state, first), jax.jit(env.reset)(key), tolerance=TOLERANCE):
        yield "reset gives another start when it is compiled: something in it is decided in Python, once and for all"
    elif differ(env.step(key, state, actions), jax.jit(env.step)(key, state, actions), tolerance=TOLERANCE):
        yield "step leads elsewhere when it is compiled: something in it is decided in Python, once and for all"


def _is_the_same_side_by_side(env: Env) -> Iterator[str]:
    """A batch is what its environments are, one by one."""
    batch = Batch(env, COPIES)

    @jax.jit
    def both(key: Array, actions: dict[str, Array]) -> Any:
        keys = jax.random.split(key, COPIES)
        state, first = batch.reset(key)
        after, then = batch.step(key, state, actions)
        one_by_one = jax.lax.map(env.reset, keys)
        later = jax.lax.map(lambda given: env.step(*given), (keys, one_by_one[0], actions))
        resets = (batch.unshared(state), first.obs), (one_by_one[0], one_by_one[1].obs)
        steps = (batch.unshared(after), then.obs, then.reward), (later[0], later[1].obs, later[1].reward)
        return resets, steps

    resets, steps = both(jax.random.key(2), random_actions(env, jax.random.key(3), COPIES))
    if differ(*resets, tolerance=TOLERANCE):
        yield "reset of many environments (a vmap over keys) is not what it is of each in a loop"
    elif differ(*steps, tolerance=TOLERANCE):
        yield "step of many environments (step_many, or a vmap) is not what it is of each in a loop"


def episodes(env: Env) -> tuple[State, TimeStep]:
    """One of random actions in each of COPIES environments, each by itself: `[1 + T, COPIES, ...]`, the start first."""

    def play(key: Array) -> Any:
        start, first = env.reset(key)

        def step(state: State, k: Array) -> Any:
            act_key, env_key = jax.random.split(k)
            after, ts = env.step(env_key, state, random_actions(env, act_key))
            return after, (after, ts)

        _, then = jax.lax.scan(step, start, jax.random.split(key, min(env.max_cycles, LONGEST)))
        return jax.tree.map(lambda a, b: jnp.concatenate([jnp.asarray(a)[None], b]), (start, first), then)

    return jax.jit(jax.vmap(play, out_axes=1))(jax.random.split(jax.random.key(4), COPIES))


def _keeps_the_clock(env: Env, states: State, ts: TimeStep) -> Iterator[str]:
    """What is shared is the same everywhere; episodes end when they should."""
    shared = map_axes(lambda axis, x: x if axis is None else None, env.state_axes, states)
    for path, x in jax.tree.leaves_with_path(shared):
        if differ(x, jnp.broadcast_to(x[:, :1], x.shape)):
            yield (
                f"state_axes says that all environments share {jax.tree_util.keystr(path).lstrip('.')}, "
                "but it differs between them"
            )
    ended, over = np.array(ts.terminated), np.array(ts.truncated)
    steps = len(over) - 1
    if ended[0].any() or over[0].any():
        yield "an episode is over as soon as it has begun: reset must return false for terminated and truncated"
    if not env.ends_early and ended.any():
        yield f"an episode terminates (at step {int(np.argmax(ended.any(axis=1)))}), but ends_early is false"
    going = np.cumsum(ended, axis=0) == 0
    if (over[:steps] & going[:steps]).any() and not env.ends_early:
        first = int(np.argmax(over.any(axis=1)))
        yield f"an episode is truncated at step {first}, before max_cycles ({env.max_cycles})"
    if steps == env.max_cycles and (~over[-1] & going[-1]).any():
        yield f"an episode goes on after max_cycles ({env.max_cycles}) steps: truncated must be true then"


def _is_finite(ts: TimeStep) -> Iterator[str]:
    seen = {f"the observations of {group}": obs for group, obs in ts.obs.items()}
    for name, x in (seen | {"reward": ts.reward}).items():
        if not np.isfinite(x).all():
            yield f"{name}: not every number is finite, in an episode of random actions"


def _shows_what_it_says(env: Env, states: State, ts: TimeStep) -> Iterator[str]:
    """Observations are those of the state; goals are among those that there are."""
    observe = jax.jit(jax.vmap(env.observe))
    for name, at in {"reset": 0, "step": 1}.items():
        state, obs = jax.tree.map(lambda x, at=at: x[at], (states, ts.obs))
        if differ(observe(state), obs, tolerance=TOLERANCE):
            yield f"observe shows something else than what {name} returns (the order of agents, perhaps)"
    start = jax.tree.map(lambda x: x[0], states)
    goals = jax.jit(jax.vmap(env.goals))(start)
    if (goals < -1).any() or (goals >= max(env.num_goals, 0)).any():
        least, most = int(goals.min()), int(goals.max())
        yield f"goals are {least} to {most}, but must be -1 (none), or 0 to num_goals - 1 ({env.num_goals - 1})"
    said = jax.jit(jax.vmap(env.words))(start)
    if said.shape[-1] and differ(jax.jit(jax.vmap(lambda s: env.words(env.with_words(s, env.words(s)))))(start), said):
        yield "with_words does not put in the state what words finds there"


def _has_gradients(env: Env, states: State) -> Iterator[str]:
    """Of what is seen, by what is said and done: finite."""
    state = jax.tree.map(lambda x: x[1, 0], states)
    actions, words = random_actions(env, jax.random.key(5)), env.words(state)

    def seen(smooth: Any) -> Array:
        acted = smooth.get("actions", actions)
        _, ts = env.step(jax.random.key(6), env.with_words(state, smooth["words"]), acted)
        return sum(map(jnp.sum, ts.obs.values()), jnp.sum(ts.reward))

    smooth: dict[str, Any] = {"words": words} | ({"actions": actions} if env.continuous_actions else {})
    for name, gradient in jax.jit(jax.grad(seen))(smooth).items():
        if not all(np.isfinite(x).all() for x in jax.tree.leaves(gradient)):
            yield f"gradients of observations and rewards by {name} are not all finite (a norm or a quotient at 0?)"


def _judges(env: Env, states: State) -> Iterator[str]:
    """What the task says of finished episodes, if these had returned nothing."""
    starts = jax.device_get(jax.tree.map(lambda x: x[0], states))
    try:
        judgement(env, starts, np.zeros((2, COPIES, len(env.team_names))))
    except ConfigError as error:
        yield str(error).removeprefix(f"{env.name}: ")


def differ(one: Any, other: Any, *, tolerance: float = 0.0) -> bool:
    """Whether two trees of arrays differ by more than this, relative or absolute; NaN are alike."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return not all(np.allclose(_plain(a), _plain(b), rtol=tolerance, atol=tolerance, equal_nan=True) for a, b in pairs)


def _plain(x: Any) -> np.ndarray:
    """Numbers of an array, of keys, too."""
    x = jnp.asarray(x)
    return np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x, float)


def _alike(one: Any, other: Any) -> bool:
    try:
        return not differ(one, other)
    except (TypeError, ValueError):  # of other structure, or no numbers
        return bool(one == other)
