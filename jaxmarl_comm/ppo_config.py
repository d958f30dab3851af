"""The settings of mappo and ippo. As `config.py`, it imports no jax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from jaxmarl_comm.config import Schedule
from jaxmarl_comm.critic_config import CriticConfig
from jaxmarl_comm.settings import Count, Real, Share, Whole

if TYPE_CHECKING:
    from jaxmarl_comm.envs.base import Env


class PPOConfig(CriticConfig):
    """The common settings, and those of PPO and of its critics."""

    headings: ClassVar = {
        "PPO": ("ppo_epochs",),
        "critics": ("critic_lr", "critic_input"),
        "sides in turns": ("alternate_every",),
    }
    varied: ClassVar = ("lr", "critic_lr", "gamma", "gae_lambda", "clip_eps", "ent_coef", "vf_coef")
    between_sides: ClassVar = ("alternate_every", "pool_share", "pool_size", "pool_interval")

    algorithm: Literal["mappo", "ippo"] = "mappo"

    critic_input: Literal["own", "joint", "state", "joint_actions"] | None = Field(
        None,
        description="what critics go by: own observation (ippo's default); everybody's, own first (mappo's); own, and "
        "the task's whole state; everybody's observations and the others' actions",
    )
    critic_embed_dim: Annotated[Whole, Field(le=2**16)] = Field(
        0, description="numbers that all but an agent's own observation is compressed to for its critic; 0: not at all"
    )

    ppo_epochs: Count = Field(2, description="passes over each rollout")
    num_minibatches: Count = Field(16, description="minibatches per pass, cut along environments")
    grad_accumulation: Count = Field(1, description="parts of a minibatch whose gradients are added up one by one")
    log_agent_metrics: bool = Field(False, description="whether metrics are also told of each agent")
    target_kl: Real | None = Field(
        None,
        gt=0,
        description="approx_kl beyond which a minibatch and all that follow in its iteration update nothing",
    )

    gae_lambda: Share = Field(0.98, description="decay of generalised advantage estimates")
    advantage_norm: Literal["none", "group", "agent", "minibatch"] = Field(
        "group", description="within what advantages get mean 0 and variance 1; minibatch: of a group"
    )
    clip_eps: Real = Field(0.1, gt=0, description="PPO's clip of probability ratios and of (normalised) values")
    clip_eps_schedule: Schedule = Field("constant", description="how clip_eps changes over the run")
    clip_eps_end: Share = Field(0.1, gt=0, description="share of clip_eps that is left at the end, unless constant")
    ent_coef: Real = Field(0.001, ge=0, description="weight of the entropy bonus")
    ent_coef_schedule: Schedule = Field("constant", description="how ent_coef changes over the run")
    ent_coef_end: Share = Field(0.0, description="share of ent_coef that is left at the end, unless constant")

    vf_coef: Real = Field(
        1.0,
        ge=0,
        description="weight of the critics' loss, which matters little to Adam, except where gradients are clipped",
    )
    clip_values: bool = Field(True, description="whether clip_eps also keeps values near the old ones")
    huber_delta: Real = Field(
        0.0, ge=0, description="error of a normalised value from which its loss grows linearly; 0: squared everywhere"
    )
    value_norm: bool = Field(True, description="whether critics learn returns of mean 0 and variance 1")

    bootstrap_truncated: bool = Field(
        True, description="whether what follows counts where the clock ended an episode; false: as if nothing did"
    )

    alternate_every: Whole = Field(
        0, description="iterations that one team learns for, while the other pauses, before they change; 0: all learn"
    )
    pool_share: Share = Field(
        0.0, description="share of iterations in which one team learns against another's earlier policy"
    )
    pool_size: Annotated[Count, Field(le=1_000)] = Field(10, description="earlier policies that are kept for that")
    pool_interval: Count = Field(20, description="iterations between policies that are kept for that")

    @property
    def clip_param(self) -> float:
        """Another name of `clip_eps`."""
        return self.clip_eps

    @property
    def entropy_coef(self) -> float:
        """Another name of `ent_coef`."""
        return self.ent_coef

    @property
    def critic_sees(self) -> str:
        """`critic_input`, or what the algorithm's critics go by where that is not given."""
        return self.critic_input or {"mappo": "joint", "ippo": "own"}[self.algorithm]

    @property
    def critics_see_actions(self) -> bool:
        return self.critic_sees == "joint_actions"

    def check(self, env: Env) -> Iterator[str]:
        yield from super().check(env)
        yield from self._check_updates()
        yield from self._check_critics()
        yield from self._check_turns(env)

    def _check_updates(self) -> Iterator[str]:
        """Whether rollouts can be cut as asked."""
        if self.num_envs % self.num_minibatches:
            yield (
                f"num_envs ({self.num_envs}) must be a multiple of num_minibatches ({self.num_minibatches}): "
                "minibatches are cut along environments"
            )
        elif (size := self.num_envs // self.num_minibatches) % self.grad_accumulation:
            yield (
                f"a minibatch of {size} environments cannot be cut into grad_accumulation ({self.grad_accumulation}) "
                "equal parts"
            )
        if self.grad_accumulation > 1 and self.comm.signalling_coef:
            yield "comm.signalling_coef needs grad_accumulation 1: its loss is one of a whole minibatch"

    def _check_critics(self) -> Iterator[str]:
        """Whether critics are what the algorithm says, and who is told apart has something in common."""
        if self.algorithm == "ippo" and self.critic_sees != "own":
            yield (
                f"ippo's critics see their own agent's observation, but critic_input is {self.critic_input}: that is "
                "mappo"
            )
        if self.critic_embed_dim and self.critic_sees == "own":
            yield "critic_embed_dim compresses what is not an agent's own, but critic_input is own"

    def _check_turns(self, env: Env) -> Iterator[str]:
        """Whether there are sides to take turns, and a pool where its settings are given."""
        for setting in ("alternate_every", "pool_share"):
            if getattr(self, setting) and len(env.team_names) == 1:
                yield (f"{setting} needs two teams that learn, but in {env.name} one does: {env.team_names[0]}")
        for setting in ("pool_size", "pool_interval"):
            if not self.pool_share and not self.is_default(setting):
                yield f"{setting} means nothing while pool_share is 0"

    def numbers_held(self, env: Env) -> dict[str, tuple[int, dict[str, int]]]:
        steps = self.num_envs * self.rollout_len
        seen = sum(env.obs_dims[group] * len(where) for group, where in env.groups.items())
        widest = {group: max(net.hidden) for group, net in self.nets(env.groups).items()}
        hidden = sum(widest[group] * len(where) for group, where in env.groups.items())
        # Each agent's critic has all observations before it.
        agents = {"agents": env.num_agents} if self.critic_sees.startswith("joint") else {}
        return {
            "a rollout as the critics see it": (
                steps * seen * agents.get("agents", 1),
                {**agents, "length of their observations": seen},
            ),
            "a minibatch": (
                steps * hidden // self.num_minibatches,
                {"num_minibatches": self.num_minibatches, "hidden_dim": max(widest.values())},
            ),
        }
