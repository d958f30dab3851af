"""The settings of maddpg and matd3. As `config.py`, it imports no jax until sizes are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from jaxmarl_comm.config import Schedule
from jaxmarl_comm.critic_config import CriticConfig
from jaxmarl_comm.settings import Count, Real, Share, Whole

if TYPE_CHECKING:
    from jaxmarl_comm.envs.base import Env


Number = TypeVar("Number", int, float)


class OffPolicyConfig(CriticConfig):
    """The common settings, those of critics, and those of learning from replay: by one class, which matd3 reads with
    other defaults than maddpg where a setting is null."""

    headings: ClassVar = {
        "learning": ("num_envs",),
        "critics": ("critic_lr",),
        "replay": ("replay_ratio",),
        "targets": ("tau",),
        "exploration": ("exploration",),
        "discrete actions": ("relaxation",),
    }
    deterministic: ClassVar = True
    replays: ClassVar = True
    varied: ClassVar = (
        "lr",
        "critic_lr",
        "gamma",
        "tau",
        "expl_noise",
        "relaxation_temperature",
        "batch_size",
        "replay_ratio",
    )

    algorithm: Literal["maddpg", "matd3"] = "matd3"
    num_envs: Count = Field(64, description="environments side by side")
    lr: Real = Field(1e-3, gt=0, description="Adam's learning rate at the start")
    gamma: Share = Field(0.95, description="discount per step")

    replay_ratio: Real = Field(
        20.0,
        gt=0,
        description="how often, on average, a step is learned from: there are replay_ratio * num_envs * rollout_len / "
        "batch_size updates per iteration (or max_batch_size, if given)",
    )
    batch_size: Annotated[Count, Field(le=2**20)] = Field(1024, description="steps that an update learns from")
    max_replay_ratio: Real | None = Field(
        None, gt=0, description="what there is room for, so that replay_ratio can evolve; null: for no more"
    )
    max_batch_size: Annotated[Count, Field(le=2**20)] | None = Field(
        None, description="what there is room for, so that batch_size can evolve; null: for no more"
    )
    buffer_size: Annotated[Count, Field(le=2**31)] = Field(500_000, description="latest steps that are kept")
    learning_delay: Whole = Field(
        10_000, description="env steps at the start in which agents act at random and nothing is learned"
    )

    tau: Share = Field(0.01, gt=0, description="share of the way that target networks move at each of their updates")
    policy_freq: Count | None = Field(
        None, description="updates of critics for one of policies and targets; null: 1 (maddpg), 2 (matd3)"
    )
    num_critics: Annotated[Count, Field(le=100)] | None = Field(
        None, description="critics of each agent, the least of which targets go by; null: 1 (maddpg), 2 (matd3)"
    )
    target_noise: Real | None = Field(
        None,
        ge=0,
        description="standard deviation of noise on the actions that targets go by, of continuous actions from 0 to 1; "
        "null: 0 (maddpg), 0.1 (matd3)",
    )
    target_noise_clip: Real = Field(0.25, gt=0, description="what that noise does not exceed")
    others_actions: Literal["replay", "current"] = Field(
        "replay", description="what a policy's update takes the others to do: what they did, or would do now"
    )
    logit_coef: Real = Field(
        1e-3, ge=0, description="weight of the mean square of what policies' last layers give: keeps them responsive"
    )

    exploration: Literal["gaussian", "ou"] = Field(
        "gaussian", description="noise on continuous actions: independent, or an Ornstein-Uhlenbeck process"
    )
    expl_noise: Real = Field(0.1, ge=0, description="standard deviation of that noise, of actions from 0 to 1")
    expl_noise_schedule: Schedule = Field("linear", description="how expl_noise changes over the run")
    expl_noise_end: Share = Field(0.2, description="share of expl_noise that is left at the end, unless constant")
    mean_noise: Real = Field(0.0, description="mean of that noise")
    ou_theta: Real = Field(0.15, ge=0, description="how fast an Ornstein-Uhlenbeck process returns to its mean")
    ou_dt: Real = Field(1.0, gt=0, description="time that passes in it at each step")

    relaxation: Literal["soft", "straight_through", "gapped"] = Field(
        "straight_through", description="how a critic's gradient reaches discrete actions: see relaxation.py"
    )
    relaxation_temperature: Real = Field(1.0, gt=0, description="of that: low is nearly discrete")
    relaxation_temperature_schedule: Schedule = Field("constant", description="how that changes over the run")
    relaxation_temperature_end: Share = Field(0.5, gt=0, description="share of it left at the end, unless constant")

    @property
    def delay(self) -> int:
        """`policy_freq`, or what the algorithm has where that is not given."""
        return self.policy_freq or self._usual(1, 2)

    @property
    def critics(self) -> int:
        """`num_critics`, or what the algorithm has where that is not given."""
        return self.num_critics or self._usual(1, 2)

    @property
    def smoothing(self) -> float:
        """`target_noise`, or what the algorithm has where that is not given."""
        return self._usual(0.0, 0.1) if self.target_noise is None else self.target_noise

    def _usual(self, maddpg: Number, matd3: Number) -> Number:
        return matd3 if self.algorithm == "matd3" else maddpg

    @property
    def critics_see_actions(self) -> bool:
        return True

    @property
    def learn_from(self) -> int:
        return -(-self.learning_delay // (self.num_envs * self.rollout_len))

    @property
    def windows(self) -> int:
        """Windows that an update learns from, at most."""
        return (self.max_batch_size or self.batch_size) // self.window

    @property
    def updates(self) -> int:
        """Updates of the critics per iteration, at most, a multiple of `delay`: policies have the last word."""
        return self.delay * round((self.max_replay_ratio or self.replay_ratio) / self._ratio_of_a_turn)

    @property
    def learned_ratio(self) -> float:
        """How often a step is learned from by so many updates: `replay_ratio`, but for rounding."""
        return self.updates / self.delay * self._ratio_of_a_turn

    @property
    def _ratio_of_a_turn(self) -> float:
        """The same for `delay` updates. Batches are of whole windows."""
        return self.windows * self.window * self.delay / (self.num_envs * self.rollout_len)

    @property
    def slots(self) -> int:
        """Rollouts that are kept, of each member if a population shares them."""
        return self.buffer_size // (self.num_envs * self.rollout_len * self.sharers)

    @property
    def sharers(self) -> int:
        """How many learn from the same replay."""
        return self.evolution.population_size if self.evolution.share_replay else 1

    def of_member(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
        shared = {"buffer_size": self.slots * self.num_envs * self.rollout_len} if self.evolution.share_replay else {}
        return super().of_member(numbers) | shared

    @property
    def remembers(self) -> bool:
        """Whether what agents do depends on earlier steps beside what they see, so that whole episodes are learned."""
        comm = self.comm
        late = comm.rounds > 0 and (comm.delay > 0 or comm.gate_hold)
        return self.net.memory != "none" or late or comm.speech == "differentiable"

    @property
    def window(self) -> int:
        """Steps that are learned from in a row."""
        return self.rollout_len if self.remembers else 1

    def check(self, env: Env) -> Iterator[str]:
        yield from super().check(env)
        yield from self._check_windows(env)
        yield from self._check_replay()
        yield from self._check_noise(env)

    def _check_windows(self, env: Env) -> Iterator[str]:
        """Whether rollouts are episodes, where those are what is kept."""
        if not env.ends_early and self.rollout_len != env.max_cycles:
            yield (
                f"{self.algorithm} keeps whole episodes: rollout_len ({self.rollout_len}) must be "
                f"{'train_env' if 'max_cycles' in self.train_env else 'env'}.max_cycles ({env.max_cycles})"
            )
        if env.ends_early and self.remembers:
            yield (
                f"episodes of {env.name} may end early, so {self.algorithm} learns from single steps of it: that needs "
                "agents without memory, messages heard at once and not held, and no differentiable words"
            )
        if self.net.critic_memory != "none":
            yield f"net.critic_memory must be none: {self.algorithm}'s critics see everything"
        if self.net.last_step:
            yield f"net.last_step must be false: {self.algorithm}'s critics do not see the step before"
        if self.comm.rounds and self.comm.integrate_into != "policy":
            yield f"comm.integrate_into must be policy: {self.algorithm}'s critics see everything"
        if self.comm.listening_coef:
            yield f"comm.listening_coef is for algorithms that learn distributions: not {self.algorithm}"

    def _check_replay(self) -> Iterator[str]:
        rollout = self.num_envs * self.rollout_len
        if self.slots < 1:
            of_all = f", of each of {self.sharers} members" if self.sharers > 1 else ""
            yield f"buffer_size ({self.buffer_size}) must hold a rollout{of_all}: num_envs * rollout_len = {rollout}"
            return
        yield from self._check_room()
        if (most := self.max_batch_size or self.batch_size) > self.slots * rollout:
            yield (f"batch_size ({most}) is more than the {self.slots * rollout} steps that buffer_size keeps")
        if self.batch_size < self.window:
            yield (
                f"batch_size ({self.batch_size}) must be at least the {self.window} steps of an episode, as agents "
                "remember"
            )
            return
        if self.updates < 1:
            yield (
                f"replay_ratio ({self.replay_ratio:g}) gives no update per iteration: with batch_size "
                f"{self.batch_size}, policy_freq {self.delay} and {rollout} steps (num_envs * rollout_len) it must be "
                f"above {self._ratio_of_a_turn / 2:.3g}"
            )
        if self.learn_from >= self.num_iters:
            yield (
                f"learning_delay ({self.learning_delay}) is as long as the run, of {self.env_steps} env steps: nothing "
                "would be learned"
            )

    def _check_room(self) -> Iterator[str]:
        """Whether there is room for what evolves."""
        for name in ("batch_size", "replay_ratio"):
            own, most = getattr(self, name), getattr(self, f"max_{name}")
            if most is not None and most < own:
                yield f"max_{name} is {most:g}, but {name} is {own:g}"
            if (wanted := self.evolution.ranges.get(name, [0.0])[-1]) > (most or 0.0):
                yield f"evolution.ranges.{name} goes up to {wanted:g}, for which there must be room: set max_{name}"

    def _check_noise(self, env: Env) -> Iterator[str]:
        """Whether what is said of actions is said of such that there are."""
        continuous = (
            "exploration",
            "expl_noise",
            "expl_noise_schedule",
            "expl_noise_end",
            "mean_noise",
            "target_noise",
            "target_noise_clip",
        )
        discrete = ("relaxation", "relaxation_temperature", "relaxation_temperature_schedule")
        for setting in discrete if env.continuous_actions else continuous:
            if not self.is_default(setting):
                kind = "continuous" if env.continuous_actions else "discrete"
                yield f"{setting} means nothing where actions are {kind}"
        for setting in ("ou_theta", "ou_dt"):
            if self.exploration != "ou" and not self.is_default(setting):
                yield f"{setting} means nothing unless exploration is ou"
        if self.smoothing == 0 and not self.is_default("target_noise_clip"):
            yield "target_noise_clip means nothing where target_noise is 0"
        if self.ou_theta * self.ou_dt >= 2:
            yield (f"ou_theta * ou_dt ({self.ou_theta * self.ou_dt:g}) must be below 2, or the noise swings ever wider")

    def told(self, env: Env) -> list[str]:
        from jaxmarl_comm.algorithms.maddpg import kept_bytes

        steps, whose = self.slots * self.num_envs * self.rollout_len, "member" if self.evolves else "seed"
        size = kept_bytes(self, env) * self.num_runs / 1e6
        return [
            f"replay: {steps:,} steps of each {whose}, {size:,.0f} MB in all, in each checkpoint too; {self.updates} "
            f"updates per iteration, from step {self.learn_from * self.num_envs * self.rollout_len:,} on, which learn "
            f"from each step {self.learned_ratio:.3g} times"
        ]

    def numbers_held(self, env: Env) -> dict[str, tuple[int, dict[str, int]]]:
        from jaxmarl_comm.algorithms.maddpg import kept_bytes

        return {"the replay": (kept_bytes(self, env) // 4, {"buffer_size": self.buffer_size})}
