"""How fast environments step under random actions with auto-reset, beside mpe2 and, where it is installed, JaxMARL.

One step is one environment's, of all its agents. Both JAX sides run as one compiled scan that draws the actions inside,
by the same code and as many of them; compiling is timed apart. Peers are measured in turn with this project, over and
over, so that a machine whose speed drifts does not favour one: look at the ratios, which are medians over the turns.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.chance import STEPS, sixteen_bits
from jaxmarl_comm.envs.mpe.original import make_mpe2

Array = jax.Array

OURS, MPE2, JAXMARL = "ours", "mpe2", "jaxmarl"


class Program(NamedTuple):
    """A compiled loop. run: carry (donated, with an axis of devices first) -> carry at the end of the loop.

    steps: environment steps of one call, over all environments. compile_seconds: what building it took.
    """

    run: Callable[[Any], Any]
    carry: Any
    steps: int
    compile_seconds: float


class Row(NamedTuple):
    """One line of the table.

    rates: side -> median environment steps per second. ratios: peer -> median ratio of our rate to its.
    compile_seconds: side -> seconds.
    """

    task: str
    num_envs: int
    rates: dict[str, float]
    ratios: dict[str, float]
    compile_seconds: dict[str, float]


# Programs


def our_program(env: Env, num_envs: int, length: int, devices: int = 1) -> Program:
    """Random play in `num_envs` of this project's environments on each device, `length` steps of each."""
    batch = Batch(env, num_envs)

    def start(key: Array) -> Any:
        key, reset_key = jax.random.split(key)
        state, ts = batch.reset(reset_key)
        return key, state, ts.obs, ts.reward

    def step(carry: Any, _: None) -> tuple[Any, None]:
        key, state, _, total = carry
        key, act_key, step_key, restart_key = jax.random.split(key, 4)
        state, ts = batch.step(step_key, state, random_actions(env, act_key, num_envs))
        state, obs = batch.restart_if_over(restart_key, state, ts)
        return (key, state, obs, total + ts.reward), None

    return compiled(start, step, num_envs, length, devices)


def jaxmarl_program(peer: Any, num_envs: int, length: int, continuous: bool, devices: int = 1) -> Program:
    """The same in JaxMARL's, whose `step` resets by itself."""
    spaces = {agent: peer.action_space(agent) for agent in peer.agents}

    def start(key: Array) -> Any:
        key, reset_key = jax.random.split(key)
        obs, state = jax.vmap(peer.reset)(jax.random.split(reset_key, num_envs))
        return key, state, obs, {agent: jnp.zeros(num_envs) for agent in peer.agents}

    def step(carry: Any, _: None) -> tuple[Any, None]:
        key, state, _, total = carry
        key, act_key, step_key = jax.random.split(key, 3)
        if continuous:
            keys = zip(jax.random.split(act_key, len(spaces)), spaces.items(), strict=True)
            actions = {agent: jax.random.uniform(k, (num_envs, *space.shape)) for k, (agent, space) in keys}
        else:
            chosen = random_indices(act_key, num_envs, [space.n for space in spaces.values()])
            actions = {agent: chosen[:, k] for k, agent in enumerate(spaces)}
        obs, state, rewards, _, _ = jax.vmap(peer.step)(jax.random.split(step_key, num_envs), state, actions)
        return (key, state, obs, {agent: total[agent] + rewards[agent] for agent in spaces}), None

    return compiled(start, step, num_envs, length, devices)


def compiled(
    start: Callable[[Array], Any], step: Callable[..., Any], num_envs: int, length: int, devices: int
) -> Program:
    """Compile the scan over `length` steps. Observations and rewards are results, so that they must be computed.

    Each device has `num_envs` environments and a key of its own.
    """
    mesh = Mesh(np.array(jax.devices()[:devices]), ("device",))

    def on_each(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def on_one(carry: Any) -> Any:
            return jax.tree.map(lambda x: x[None], function(jax.tree.map(lambda x: x[0], carry)))

        spec = PartitionSpec("device")
        return jax.shard_map(on_one, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)

    carry = jax.jit(on_each(start))(jax.random.split(jax.random.key(0), devices))
    began = time.perf_counter()
    loop = jax.jit(on_each(lambda carry: jax.lax.scan(step, carry, length=length)[0]), donate_argnums=0)
    run = loop.lower(carry).compile()
    return Program(run, carry, devices * num_envs * length, time.perf_counter() - began)


def random_actions(env: Env, key: Array, num_envs: int) -> dict[str, Array]:
    """group -> `[E, n]` indices, or `[E, n, dim]` vectors."""
    if env.continuous_actions:
        widths = {group: (len(where), env.action_spaces[group].dim) for group, where in env.groups.items()}
        keys = jax.random.split(key, len(widths))
        pairs = zip(keys, widths.items(), strict=True)
        return {group: jax.random.uniform(k, (num_envs, *width)) for k, (group, width) in pairs}
    sizes = [env.action_spaces[env.seat(agent)[0]].n for agent in range(env.num_agents)]
    return env.split(random_indices(key, num_envs, sizes))


def random_indices(key: Array, num_envs: int, sizes: Sequence[int]) -> Array:
    """`[E, N]`, uniform in 0 .. size - 1 for each of N sizes.

    As cheap as can be, for it is the environment that is measured.
    """
    bits = sixteen_bits(key, (num_envs, len(sizes)))
    return (bits * np.array(sizes, np.uint32) // STEPS).astype(jnp.int32)


# Measuring


def measure_task(
    env: Env, num_envs: int, turns: int, seconds: float, peers: Mapping[str, Any], devices: int = 1
) -> Row:
    """All sides in turn.

    peers: side -> its environment of this task. devices: among which both JAX sides share their environments, in equal
    numbers.
    """
    length = scan_length(num_envs)
    share = num_envs // devices
    programs = {OURS: our_program(env, share, length, devices)}
    if JAXMARL in peers:
        programs[JAXMARL] = jaxmarl_program(peers[JAXMARL], share, length, env.continuous_actions, devices)
    meters: dict[str, Callable[[], float]] = {side: meter(program, seconds) for side, program in programs.items()}
    if MPE2 in peers:
        meters[MPE2] = lambda: mpe2_rate(peers[MPE2], seconds)
    taken = [{side: rate() for side, rate in meters.items()} for _ in range(turns)]
    return Row(
        env.name,
        num_envs,
        rates={side: statistics.median(turn[side] for turn in taken) for side in meters},
        ratios={side: statistics.median(turn[OURS] / turn[side] for turn in taken) for side in meters if side != OURS},
        compile_seconds={side: program.compile_seconds for side, program in programs.items()},
    )


def scan_length(num_envs: int) -> int:
    """Steps of one compiled loop: whole episodes, and enough of them that calling it costs nothing beside."""
    return 25 * max(2, min(400, 4000 // num_envs))


def meter(program: Program, seconds: float) -> Callable[[], float]:
    """A function that runs the program for at least that long and returns its environment steps per second."""
    carry = jax.block_until_ready(program.run(program.carry))

    def rate() -> float:
        nonlocal carry
        began, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - began < seconds:
            carry = jax.block_until_ready(program.run(carry))
            calls += 1
        return calls * program.steps / (time.perf_counter() - began)

    return rate


def mpe2_rate(original: Any, seconds: float) -> float:
    """Environment steps per second of one mpe2 environment in this process; the actions are drawn beforehand."""
    spaces = {agent: original.action_space(agent) for agent in original.possible_agents}
    drawn = [{agent: space.sample() for agent, space in spaces.items()} for _ in range(100)]
    began, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - began < seconds:
        original.reset()
        while original.agents:
            original.step(drawn[steps % len(drawn)])
            steps += 1
    return steps / (time.perf_counter() - began)


def find_jaxmarl() -> Any | None:
    """The package, or None where it cannot be imported."""
    try:
        return import_module("jaxmarl")
    except ImportError:
        return None


def peers_of(env: Env, jaxmarl: Any | None) -> dict[str, Any]:
    """side -> its environment of this task, with the same kind of actions."""
    peers = {MPE2: make_mpe2(env)} if env.reference == "mpe2" else {}
    if jaxmarl is not None and f"MPE_{env.name}" in jaxmarl.registration.registered_envs:
        kind = "Continuous" if env.continuous_actions else "Discrete"
        peers[JAXMARL] = jaxmarl.make(f"MPE_{env.name}", action_type=kind)
    return peers


def measure_team(num_agents: int, num_envs: int, turns: int, seconds: float) -> tuple[float, float]:
    """(seconds to compile, median microseconds per step of one environment) of spread with so many agents."""
    program = our_program(make_env("simple_spread_v3", N=num_agents), num_envs, length=50)
    rate = meter(program, seconds)
    return program.compile_seconds, 1e6 / statistics.median(rate() for _ in range(turns))


def machine() -> str:
    """What the figures were measured on."""
    return f"jax {jax.__version__} on {jax.devices()[0].device_kind}, {os.cpu_count()} processor cores"
