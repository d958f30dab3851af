"""The settings of algorithms with critics, on top of the common ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from jaxmarl_comm.config import AgentId, Config
from jaxmarl_comm.settings import Real

if TYPE_CHECKING:
    from jaxmarl_comm.envs.base import Env


class CriticConfig(Config):
    """What all critics have."""

    headings: ClassVar = {"critics": ("critic_lr",)}

    critic_lr: Real | None = Field(None, gt=0, description="learning rate of the critics, at the start; null: lr")
    share_critics: Literal["team", "group", "agent"] | None = Field(
        None, description="who has a critic in common; null: as share_params has it of policies"
    )
    critic_id: AgentId = Field("none", description="whether a shared critic is told whose value it estimates")

    @property
    def critic_sharing(self) -> str:
        """`share_critics`, or what `share_params` says where that is not given."""
        return self.share_critics or ("group" if self.share_params else "agent")

    @property
    @abstractmethod
    def critics_see_actions(self) -> bool:
        """Whether critics go by actions, too."""

    def check(self, env: Env) -> Iterator[str]:
        yield from super().check(env)
        if self.critic_id != "none" and self.critic_sharing == "agent":
            yield "critic_id tells agents apart that share a critic, but each has its own"
        if self.critic_sharing == "team":
            yield from self._check_shared_critics(env)

    def _check_shared_critics(self, env: Env) -> Iterator[str]:
        """Whether what a team's critic goes by, and what it is made of, is the same for all groups."""
        acts = self.critics_see_actions
        for team, name in enumerate(env.team_names):
            groups = [group for group, of in env.group_teams.items() if of == team]
            if len({(env.obs_dims[group], env.action_spaces[group].dim * acts) for group in groups}) > 1:
                yield (
                    f"share_critics is team, but in team {name} of {env.name} {' and '.join(groups)} see observations "
                    f"{'or take actions ' * acts}of different length; set it to group"
                )
            if len({self.net.of_group(group, self.hidden_dim) for group in groups}) > 1:
                yield f"share_critics is team, but net.groups gives groups of {name} other networks; set it to group"
