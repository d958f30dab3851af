"""The networks' settings: for all groups of agents, and for one at a time."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from jaxmarl_comm.settings import Count, Settings, Size

Activation = Literal["relu", "tanh", "elu", "gelu"]
Memory = Literal["none", "gru", "lstm"]
Hidden = Annotated[list[Size], Field(min_length=1, max_length=16)]  # each layer is compiled for itself


class Start(NamedTuple):
    """What a network that may grow is made of at first, and the activations that it may come to have."""

    width: int
    layers: int
    activations: tuple[str, ...]


class Net(NamedTuple):
    """What a network is made of: widths of its layers, what follows each, whether its inputs are normalised.

    start: of one that may grow, whose `hidden` says how far; None of one that stays as it is.
    """

    hidden: tuple[int, ...]
    activation: str
    layer_norm: bool
    start: Start | None = None

    @property
    def before_hearing(self) -> tuple[int, ...]:
        """Widths of a policy's layers before it talks: all but the last, if there are two or more."""
        return self.hidden[:-1] or self.hidden


class GroupNetConfig(Settings):
    """The networks of one group of agents; null: as for all."""

    hidden: Hidden | None = None
    activation: Activation | None = None
    layer_norm: bool | None = None


class NetConfig(Settings):
    """The networks of policies and critics."""

    hidden: Hidden | None = Field(None, description="widths of the layers; null: two of hidden_dim")
    activation: Activation = Field("relu", description="what follows each layer")
    layer_norm: bool = Field(False, description="whether inputs are brought to mean 0 and variance 1, each for itself")
    memory: Memory = Field(
        "none",
        description="gru or lstm: a recurrent cell in the place of the last layer before talking, to remember by",
    )
    critic_memory: Memory = Field("none", description="gru or lstm: the same in the place of the critics' last layer")
    last_step: bool = Field(
        False,
        description="whether policies (not critics) also go by the step before: by how their view has changed since, "
        "and by what they did then, which tells how fast things move where a task does not show it",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="what layers multiply in; parameters, messages and losses are float32"
    )
    max_width: Size | None = Field(
        None, description="width that evolution may widen layers to; null: they stay as wide as they are"
    )
    max_layers: Annotated[Count, Field(le=16)] | None = Field(
        None, description="layers that evolution may come to; null: as many as there are"
    )
    activations: list[Activation] | None = Field(
        None, min_length=1, description="what evolution may choose from to follow the layers; null: nothing changes"
    )
    groups: dict[str, GroupNetConfig] = Field(
        default_factory=dict, description="others for a group: {speaker: {hidden: [32, 32]}}"
    )

    @property
    def grows(self) -> bool:
        """Whether networks have room for what evolution may make of them."""
        return bool(self.max_width or self.max_layers or self.activations)

    def of_group(self, group: str, hidden_dim: int) -> Net:
        """The network of an agent of this group."""
        own = self.groups.get(group, GroupNetConfig())
        net = Net(
            hidden=self.widths_of(group, hidden_dim),
            activation=own.activation or self.activation,
            layer_norm=self.layer_norm if own.layer_norm is None else own.layer_norm,
        )
        return self._with_room(net) if self.grows else net

    def widths_of(self, group: str, hidden_dim: int) -> tuple[int, ...]:
        """Of the layers of an agent of this group, as they begin."""
        own = self.groups.get(group, GroupNetConfig()).hidden
        return tuple(own or self.hidden or [hidden_dim, hidden_dim])

    def _with_room(self, net: Net) -> Net:
        """The same network as the start of one that may grow."""
        width, layers = max(net.hidden), len(net.hidden)
        others = [name for name in self.activations or () if name != net.activation]
        return net._replace(
            hidden=(self.max_width or width,) * (self.max_layers or layers),
            start=Start(width, layers, (net.activation, *others)),
        )
