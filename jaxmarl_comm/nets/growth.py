"""Networks that evolution may widen, deepen and give another activation while their program stays the same.

What a network does not have yet is there as zeros: a unit whose weights in and out are 0 says nothing, gets no
gradient, and so stays as it is, whatever follows the layer (all activations are 0 at 0). A layer in a slot adds to its
input what it makes of it less what its activation alone would: with the identity as its weights, it changes nothing
yet. What a network has come to, its shape, lies among its parameters, where no gradient reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import traverse_util

from jaxmarl_comm.net_config import Net

Array = jax.Array
SHAPE = "_shape"  # behind a group's name, among parameters
FEWEST_LAYERS = 2  # one before hearing, one after: these are always there
ACTIVATIONS = {"relu": nn.relu, "tanh": nn.tanh, "elu": nn.elu, "gelu": nn.gelu}


class Shape(NamedTuple):
    """What a network has come to: units `[W]`, 1 for each that its layers have. layers: `[]`, their number.

    activation: `[K]`, 1 at the one that follows its layers, of those in `Start.activations`.
    """

    units: Array
    layers: Array
    activation: Array


def first_shape(net: Net) -> dict[str, Array]:
    """Of a network that may grow, at its start; as parameters."""
    assert net.start is not None
    units = jnp.arange(max(net.hidden)) < net.start.width
    activation = jnp.arange(len(net.start.activations)) == 0
    return Shape(units.astype(float), jnp.float32(net.start.layers), activation.astype(float))._asdict()


def shape_of(module: nn.Module, name: str, net: Net) -> Shape | None:
    """That of the network of this name, whose parameters are the module's; None of one that stays as it is."""
    if net.start is None:
        return None
    key = name + SHAPE
    there = module.has_variable("params", key)
    found: Any = module.get_variable("params", key) if there else module.param(key, lambda _: first_shape(net))
    return Shape(**jax.lax.stop_gradient(dict(found)))


def activated(net: Net, shape: Shape | None, x: Array) -> Array:
    """What follows a layer."""
    if shape is None or net.start is None:
        return ACTIVATIONS[net.activation](x)
    every = [ACTIVATIONS[name](x) for name in net.start.activations]
    return sum((chosen * y for chosen, y in zip(shape.activation, every, strict=True)), jnp.zeros_like(x))


def in_slot(net: Net, shape: Shape | None, number: int, x: Array, made: Array) -> Array:
    """After the layer of this number, from 1 on, of `x`, of which its weights made `made` `[..., W]`."""
    if shape is None or number < FEWEST_LAYERS:
        return activated(net, shape, made)
    changed = x + activated(net, shape, made) - activated(net, shape, x)
    return jnp.where(number < shape.layers, changed, x)


def at_first(net: Net) -> Net:
    """The network without room, as one that may grow begins."""
    if net.start is None:
        return net
    return net._replace(hidden=(net.start.width,) * net.start.layers, start=None)


def with_room(params: Any, shapes: Any, nets: Mapping[str, Net], owner: Callable[[str], str]) -> Any:
    """The parameters of networks at first, in arrays of these shapes: what is not there yet is 0.

    shapes: of the parameters of all that may come to be. owner: a module's name -> the network's, of `nets`.
    """
    given, made = traverse_util.flatten_dict(params), {}
    for path, wanted in traverse_util.flatten_dict(shapes).items():
        module, leaf = path[1], path[-1]
        if module.endswith(SHAPE):
            made[path] = jnp.broadcast_to(first_shape(nets[owner(module)])[leaf], wanted.shape)
        elif path in given:
            made[path] = _spread(given[path], wanted.shape, nets[owner(module)])
        else:
            made[path] = jnp.zeros(wanted.shape, wanted.dtype)
    return traverse_util.unflatten_dict(made)


def _spread(x: Array, shape: tuple[int, ...], net: Net) -> Array:
    """Units come first along an axis, and what follows them (as what is heard) keeps its place at the end."""
    for axis, (have, want) in enumerate(zip(x.shape, shape, strict=True)):
        if have != want:
            assert net.start is not None
            units, rest = jnp.split(x, [net.start.width], axis)
            room = jnp.zeros((*x.shape[:axis], want - have, *x.shape[axis + 1 :]), x.dtype)
            x = jnp.concatenate([units, room, rest], axis)
    return x


def layer_number(module: str, group: str) -> int:
    """Of a layer's module, where it may be one in a slot: see `in_slot`; 0 for all else, which is always there."""
    name = module.removeprefix(f"{group}_")
    if name.startswith("encode_"):
        return int(name.removeprefix("encode_")) + 1
    return int(name) if name.isdecimal() else 0
