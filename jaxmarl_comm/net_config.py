"""The networks' settings: for all groups of agents, and for one at a time."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from jaxmarl_comm.settings import Settings, Size

Activation = Literal["relu", "tanh", "elu", "gelu"]
Memory = Literal["none", "gru", "lstm"]
Hidden = Annotated[list[Size], Field(min_length=1, max_length=16)]  # each layer is compiled for itself


class Net(NamedTuple):
    """What a network is made of: widths of its layers, what follows each, whether its inputs are normalised."""

    hidden: tuple[int, ...]
    activation: str
    layer_norm: bool

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
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="what layers multiply in; parameters, messages and losses are float32"
    )
    groups: dict[str, GroupNetConfig] = Field(
        default_factory=dict, description="others for a group: {speaker: {hidden: [32, 32]}}"
    )

    def of_group(self, group: str, hidden_dim: int) -> Net:
        """The network of an agent of this group."""
        own = self.groups.get(group, GroupNetConfig())
        return Net(
            hidden=tuple(own.hidden or self.hidden or [hidden_dim, hidden_dim]),
            activation=own.activation or self.activation,
            layer_norm=self.layer_norm if own.layer_norm is None else own.layer_norm,
        )
