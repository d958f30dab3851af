"""Seeds, or members of populations, on several devices: each has its share, and learning takes nothing from others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxmarl_comm.trees import map_axes

DEVICES = "devices"


class Dealt(NamedTuple):
    """A compiled program of a state that lies on several devices. shardings: of the state."""

    program: Any
    shardings: Any

    def __call__(self, state: Any) -> Any:
        """The state may lie anywhere; where it lies here already, nothing is moved."""
        return self.program(jax.device_put(state, self.shardings))

    def memory_analysis(self) -> Any:
        """That of the program, of each device."""
        return self.program.memory_analysis()


def mesh_of(num_runs: int) -> Mesh | None:
    """As many local devices as these runs can be dealt out to in equal numbers; None if that is one."""
    devices = jax.local_devices()
    number = max(k for k in range(1, len(devices) + 1) if num_runs % k == 0)
    return Mesh(np.array(devices[:number]), (DEVICES,)) if number > 1 else None


def compile_dealt(over_runs: Callable[[Any], Any], mesh: Mesh, state: Any, axes: Any) -> Dealt:
    """state (donated) -> (state, metrics), of which each device computes its own runs.

    over_runs: a `vmap` over the runs. axes: its axes of the state, 0, or None for what all runs share.
    """
    specs = map_axes(_spec, axes)
    shardings = map_axes(lambda axis, part: jax.tree.map(lambda _: NamedSharding(mesh, _spec(axis)), part), axes, state)
    dealt = jax.shard_map(
        over_runs, mesh=mesh, in_specs=(specs,), out_specs=(specs, PartitionSpec(DEVICES)), check_vma=False
    )
    placed = jax.device_put(state, shardings)
    return Dealt(jax.jit(dealt, donate_argnums=0).lower(placed).compile(), shardings)


def _spec(axis: int | None) -> PartitionSpec:
    return PartitionSpec() if axis is None else PartitionSpec(DEVICES)
