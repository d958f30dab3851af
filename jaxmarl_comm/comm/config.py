"""The channel's settings. A stage of the pipeline each, in the order in which a message goes through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.settings import ConfigError, Count, Real, Settings, Share, Size, Whole
from jaxmarl_comm.suggest import did_you_mean, shown

BITS_OF_A_NUMBER = 32  # of one that is sent as it is
MOST_BITS = 16  # of one that is quantised

NEEDS_A_CHANNEL = (
    "discretise",
    "gate",
    "noise",
    "loss",
    "delay",
    "bit_flip",
    "listening_coef",
    "message_price",
    "bit_price",
    "max_message_dim",
)


MAX_ROUNDS = 16  # each is compiled for itself

Temperature = Annotated[Real, Field(ge=1e-3, le=1e3)]  # beyond which a softmax in float32 is none


class CommConfig(Settings):
    """The communication channel. What is not given comes from the preset."""

    preset: str = Field("commnet", description="protocol to start from")
    rounds: Whole = Field(
        0, le=MAX_ROUNDS, description="times that agents exchange messages within a step; 0: no channel"
    )
    speech: Literal["none", "reinforced", "differentiable"] = Field(
        "none",
        description="the task's own words: always the first; chosen as actions; or chosen by a straight-through Gumbel "
        "softmax, with the gradient of whoever hears them a step later",
    )

    encoder: Literal["linear", "mlp"] = Field("linear", description="what makes a message of a hidden state")
    message_dim: Size = Field(8, description="numbers in a message (gumbel: words that there are)")
    max_message_dim: Size | None = Field(
        None, description="numbers that there is room for, so that message_dim can evolve; null: for no more"
    )
    discretise: Literal["none", "binary", "quantise", "gumbel", "dru"] = Field(
        "none", description="what can be sent: numbers, one bit each, `bits` bits each, one word, or DIAL's unit"
    )
    bits: Whole = Field(2, le=MOST_BITS, description="of each number, if quantised")
    temperature: Temperature = Field(1.0, description="of gumbel words at the start")
    temperature_end: Temperature = Field(0.5, description="of gumbel words at the end, reached geometrically")
    dru_noise: Real = Field(0.5, ge=0, description="standard deviation of what the dru adds in training")

    gate: Literal["always", "learned", "top_k", "every_n"] = Field("always", description="who sends at a step")
    gate_k: Count = Field(1, description="senders per step, if top_k")
    gate_every: Count = Field(2, description="steps from one message to the next, if every_n")
    gate_hold: bool = Field(False, description="whether the last message is heard until the next, if every_n")

    noise: Real = Field(0.0, ge=0, description="standard deviation of Gaussian noise on each number")
    bit_flip: Share = Field(0.0, description="probability that a bit (gumbel: a word) arrives wrong")
    loss: Share = Field(0.0, description="probability that a message does not reach a listener")
    loss_burst: Real = Field(1.0, ge=1, description="mean length of a series of losses, in steps; 1: independent")
    delay: Whole = Field(0, description="steps until a message is heard; 0: within the same step")

    route: Literal["team", "all", "ring", "star", "nearest", "radius", "matrix"] = Field(
        "team", description="who hears whom; all but `all` and `matrix` stay within a team"
    )
    route_k: Count = Field(1, description="neighbours that one hears, if nearest")
    route_radius: Real = Field(1.0, gt=0, description="how far one hears, if radius; the arena is 2 wide")
    route_matrix: list[list[float]] | None = Field(None, description="rows hear columns where 1, if matrix")

    aggregate: Literal["mean", "sum", "max", "concat", "attention", "hard_attention"] = Field(
        "mean", description="what becomes of many messages; hard_attention first chooses whom to hear"
    )
    heads: Size = Field(1, description="of attention; message_dim is shared out among them")
    key_dim: Size = Field(8, description="numbers in each head's key, sent with a message, if attention")

    integrate: Literal["concat", "add", "gru"] = Field("concat", description="how what is heard enters a hidden state")
    integrate_into: Literal["policy", "critic", "both"] = Field("policy", description="whose hidden state")

    signalling_coef: Real = Field(0.0, ge=0, description="weight of positive signalling (Eccles et al. 2019)")
    signalling_entropy: Real = Field(0.0, ge=0, description="nats of a word that positive signalling leaves to chance")
    listening_coef: Real = Field(0.0, ge=0, description="weight of positive listening (Eccles et al. 2019)")
    message_price: Real = Field(0.0, ge=0, description="added to the loss for each message of an agent")
    bit_price: Real = Field(0.0, ge=0, description="added to the loss for each bit of a message")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        preset = given.get("preset", cls.model_fields["preset"].default)
        if not isinstance(preset, str) or preset not in PRESETS:
            raise ValueError(
                f"unknown preset {shown(preset)}{did_you_mean(str(preset), PRESETS)}; there are {', '.join(PRESETS)}"
            )
        return {**PRESETS[preset], **given}

    @model_validator(mode="after")
    def _fits_together(self) -> CommConfig:
        if clashes := list(self._clashes()):
            raise ConfigError(*clashes)
        return self

    def _clashes(self) -> Iterator[str]:
        if self.rounds == 0:
            for name in NEEDS_A_CHANNEL:
                if getattr(self, name) != type(self).model_fields[name].default:
                    yield f"comm.{name} acts on the channel, but '{self.preset}' has none (rounds: 0)"
        if self.rounds and self.speech != "none":
            yield (
                f"agents talk either by words or over a channel: comm.speech is {self.speech}, and comm.rounds "
                f"{self.rounds}; set comm.speech to none, or comm.rounds to 0 (as comm.preset speech does)"
            )
        if self.rounds and self.bit_flip and self.discretise == "none":
            yield "comm.bit_flip needs messages made of bits: set comm.discretise"
        if self.gate_hold and self.gate != "every_n":
            yield "comm.gate_hold needs comm.gate: every_n"
        if self.loss_burst > 1 and self.loss == 1:
            yield "comm.loss is 1: nothing ever arrives, so comm.loss_burst means nothing"
        if self.max_message_dim is not None and self.max_message_dim < self.message_dim:
            yield f"comm.max_message_dim is {self.max_message_dim}, but comm.message_dim is {self.message_dim}"
        if self.max_message_dim is not None and self.discretise == "gumbel":
            yield "comm.max_message_dim is room for numbers, but comm.discretise is gumbel: messages are words"
        if self.discretise == "gumbel" and self.attends:
            yield (
                f"comm.aggregate is {self.aggregate}, which sends keys beside messages, but comm.discretise is gumbel: "
                "a message is one word; set comm.aggregate to mean, sum, max or concat"
            )
        if self.room % self.heads:
            sized = "message_dim" if self.max_message_dim is None else "max_message_dim"
            yield f"comm.{sized} ({self.room}) must be a multiple of comm.heads ({self.heads})"
        if (self.route == "matrix") != (self.route_matrix is not None):
            yield "comm.route: matrix and comm.route_matrix go together"
        if self.signalling_coef and self.discretise != "gumbel" and self.speech == "none":
            yield "comm.signalling_coef needs words: comm.discretise gumbel, or comm.speech"

    @property
    def attends(self) -> bool:
        """Whether messages carry keys."""
        return self.aggregate in ("attention", "hard_attention")

    @property
    def room(self) -> int:
        """Numbers in a message for which there is room."""
        return self.max_message_dim or self.message_dim

    @property
    def width(self) -> int:
        """The same, keys included."""
        return self.room + self.keys_dim

    @property
    def keys_dim(self) -> int:
        """Numbers in the keys that are sent with a message."""
        return self.heads * self.key_dim * self.attends
