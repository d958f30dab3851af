"""Settings of who learns together, and of what one team does otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, WrapValidator

from jaxmarl_comm.settings import Real, Settings, Share
from jaxmarl_comm.suggest import shown

RewardSharing = Literal["individual", "shared", "mixed"]


def _one_error(value: Any, validate: Callable[[Any], Any]) -> Any:
    """Instead of one for each of the things that it might have been."""
    try:
        return validate(value)
    except ValidationError:
        raise ValueError(
            f"agent_groups is {shown(value)}, but must be prefix, agent, or a list of agents' ids for each group"
        ) from None


AgentGroups = Annotated[Literal["prefix", "agent"] | dict[str, list[str]], WrapValidator(_one_error)]


class TeamConfig(Settings):
    """What one team does otherwise where sides compete; null: as all do.

    channel: false for a team that neither sends nor hears, and always says the first word.
    """

    lr: Real | None = Field(None, gt=0)
    critic_lr: Real | None = Field(None, gt=0)
    ent_coef: Real | None = Field(None, ge=0)
    reward_sharing: RewardSharing | None = None
    reward_mix: Share | None = None
    channel: bool | None = None

    def number(self, name: str, critics_as_policies: bool) -> float | None:
        """Its own lr, critic_lr or ent_coef, if it has one.

        critics_as_policies: whether critics learn at a team's lr where its critic_lr is null, as all teams' is null.
        """
        as_its_policy = name == "critic_lr" and self.critic_lr is None and critics_as_policies
        own: float | None = self.lr if as_its_policy else getattr(self, name)
        return own
