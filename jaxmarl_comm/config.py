"""One object that says everything about a run: typed, bounded, frozen, and strict about unknown keys.

Here are the settings that every algorithm has; each has a class of its own on top, which `registry.py` knows. A field's
description is its help text; `scripts/train.py --help` prints them all. This file imports neither jax nor anything that
does until a config is checked against its task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.dotted import ALIASES, SECTIONS, flatten, merge, no_section
from jaxmarl_comm.evolution_config import EvolutionConfig
from jaxmarl_comm.net_config import Net, NetConfig
from jaxmarl_comm.registry import config_class, names_of_strangers, strangers
from jaxmarl_comm.settings import (
    ClashError,
    ConfigError,
    Count,
    Real,
    Seed,
    Settings,
    Share,
    Size,
    Whole,
    explain,
    mistakes_of,
    read_mapping,
)
from jaxmarl_comm.suggest import shown
from jaxmarl_comm.team_config import AgentGroups, RewardSharing, TeamConfig

if TYPE_CHECKING:
    from jaxmarl_comm.comm.channel import Channel
    from jaxmarl_comm.distributions import Kind
    from jaxmarl_comm.envs.base import Env

Schedule = Literal["constant", "linear", "cosine"]
AgentId = Literal["none", "one_hot", "embedding"]

DEFAULT_ALGORITHM = "mappo"
REWARD_SHARING_WEIGHT = {"individual": 0.0, "shared": 1.0}


class EnvConfig(Settings):
    """The task. Further keys are the task's own arguments, e.g. `N: 5` for simple_spread_v3."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(
        "simple_reference_v3",
        description="task of this package, module:Class of one of your own, or, slower, pettingzoo:module",
    )

    @property
    def arguments(self) -> dict[str, Any]:
        """The task's own arguments that were given."""
        return dict(self.model_extra or {})


class Config(Settings):
    """What every algorithm has. Frozen: `replace` makes a changed copy. Raises ConfigError for all that cannot be.

    `Config(...)` makes a config of the class that belongs to its `algorithm`, as `pathlib.Path(...)` makes a path of
    the class that belongs to the machine: there is no other.
    """

    headings: ClassVar[dict[str, tuple[str, ...]]] = {
        "the run": ("seed", "control"),
        "the task": ("env",),
        "who learns together": ("agent_groups", "reward_sharing"),
        "learning": ("algorithm", "lr"),
        "networks": ("net", "hidden_dim"),
        "the channel": ("comm",),
        "evolution": ("evolution",),
    }
    """Headings of `--help` for this class, each with the fields from which on it stands."""
    between_sides: ClassVar[tuple[str, ...]] = ()
    """Settings that mean nothing unless two sides learn."""
    varied: ClassVar[tuple[str, ...]] = ("lr", "gamma")
    """Settings that are numbers of the state, which members of a population may differ in."""
    deterministic: ClassVar[bool] = False
    """Whether continuous actions are what networks say, and not drawn from a distribution."""
    replays: ClassVar[bool] = False
    """Whether earlier steps are kept to be learned from, which members of a population may share."""

    env: EnvConfig = Field(default_factory=EnvConfig, description="the task and its arguments")
    train_env: dict[str, Any] = Field(
        default_factory=dict,
        description="arguments of the task that are others while teams learn, though not where they are judged: "
        "{terminate_on_success: true}; agents must see and do things of the same kind",
    )
    comm: CommConfig = Field(default_factory=CommConfig, description="how agents communicate")
    net: NetConfig = Field(default_factory=NetConfig, description="what networks are made of")
    evolution: EvolutionConfig = Field(default_factory=EvolutionConfig, description="how a population evolves")
    algorithm: str = Field(
        DEFAULT_ALGORITHM,
        description="how agents learn: PPO with critics that see more than agents do (mappo), or the same (ippo); from "
        "replay, by the gradient of critics of actions (maddpg), or of the least of two of them (matd3)",
    )

    agent_groups: AgentGroups = Field(
        "prefix",
        description="who shares a policy, a critic and net.groups' settings: agents whose ids begin alike (prefix), "
        "nobody (agent), or as listed: {scouts: [agent_0, agent_2], guards: [agent_1]}",
    )
    opponents: dict[str, str] = Field(
        default_factory=dict,
        description="teams that do not learn, and who plays them: a scripted side, {adversary: pursuer}, or a seed (0) "
        "of a finished run of the same task, by its folder, with a slash: {adversary: runs/NAME:2}",
    )
    teams: dict[str, TeamConfig] = Field(
        default_factory=dict,
        description="lr, critic_lr, ent_coef, reward_sharing or reward_mix of one team: {adversary: {lr: 1e-3}}; or "
        "channel: false for one that does not talk",
    )
    seed: Seed = Field(0, description="of everything random")
    num_seeds: Count = Field(1, description="independent runs trained at once, from one seed")
    num_iters: Count = Field(
        620, description="iterations, each num_envs * rollout_len env steps and the updates on them"
    )
    num_envs: Count = Field(512, description="environments side by side")
    rollout_len: Count = Field(25, description="steps of each environment per iteration")

    reward_sharing: RewardSharing = Field(
        "shared", description="what an agent learns from: its own reward, its team's mean, or both, mixed by reward_mix"
    )
    reward_mix: Share = Field(0.5, description="weight of the team's mean if reward_sharing is mixed")
    share_params: bool = Field(True, description="one network per group of like agents; if not, one per agent")
    actor_id: AgentId = Field("none", description="whether a shared policy is told whose it is")
    hidden_dim: Size = Field(64, description="width of the networks, the short way of net.hidden")

    lr: Real = Field(5e-3, gt=0, description="Adam's learning rate at the start")
    lr_schedule: Schedule = Field("linear", description="how learning rates change over the run")
    lr_end: Share = Field(0.0, description="share of the learning rates that is left at the end, unless constant")
    max_grad_norm: Real = Field(0.5, gt=0, description="cap on the norm of policies' and of critics' gradients")
    gamma: Share = Field(0.8, description="discount per step")

    control: bool = Field(False, description="also train a silent team, as long, to tell what talk is worth")

    log_interval: Count = Field(20, description="iterations per jitted call, and per row of metrics.jsonl")
    eval_interval: Whole = Field(50, description="iterations between short evaluations in training; 0: at the end only")
    eval_episodes: Count = Field(10_000, ge=2, description="episodes of each evaluation in our environment")
    eval_episodes_reference: Whole = Field(
        1_000, description="episodes of the evaluation in the task's reference implementation, as mpe2; 0: none"
    )
    checkpoint_interval: Count = Field(100, description="iterations between checkpoints; the last is always kept")

    def __new__(cls, **values: Any) -> Self:
        made: Any = config_class(values.get("algorithm", DEFAULT_ALGORITHM)) if cls is Config else cls
        return super().__new__(made)

    def __init__(self, **values: Any) -> None:
        kept, mistakes = self._placed(values)
        try:
            super().__init__(**kept)
        except ValidationError as error:
            mistakes += explain(error, type(self), *ALIASES).args
        if mistakes:
            raise ConfigError(*mistakes)
        if clashes := self._clashes():
            raise ClashError(*clashes)

    @classmethod
    def _placed(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """(what is to be judged field by field, by the fields' own names, and what is wrong with the rest)."""
        twice = [
            f"'{alias}' and '{name}' are the same setting; give one of them"
            for alias, name in ALIASES.items()
            if alias in given and name in given
        ]
        given = {ALIASES.get(key, key): value for key, value in given.items()}
        no_sections = {
            name: no_section(name, section)
            for name, section in given.items()
            if name in SECTIONS and not isinstance(section, Mapping | BaseModel)
        }
        algorithm = given.get("algorithm", cls.model_fields["algorithm"].default)
        others = names_of_strangers(given, algorithm)
        kept = {name: value for name, value in given.items() if name not in (*no_sections, *others)}
        return kept, [*twice, *no_sections.values(), *([strangers(others, algorithm)] if others else [])]

    def _clashes(self) -> list[str]:
        from jaxmarl_comm.checks import check_alike

        try:
            task = self.make_env()
            learned = self.make_train_env(task)
            found = [*check_alike(task, learned), *self.check(learned)]
            if self.control and not found:
                silent_control(self)
        except ValueError as error:
            return list(mistakes_of(error))
        return found

    def check(self, env: Env) -> Iterator[str]:
        """What does not go together, or not with this task, in one line each."""
        # These import jax, which reading a config alone does not need.
        from jaxmarl_comm.checks import check_nets, check_schedules, check_task, check_teams
        from jaxmarl_comm.evolution_checks import check_evolution

        yield from check_task(self, env)
        yield from check_schedules(self)
        yield from check_nets(self, env)
        yield from check_teams(self, env)
        yield from check_evolution(self, env)

    def told(self, env: Env) -> list[str]:
        """Lines for the user before the run begins, of what may come as a surprise."""
        return []

    def numbers_held(self, env: Env) -> dict[str, tuple[int, dict[str, int]]]:
        """What -> (float32 numbers that updates of one seed hold at the very least, the settings that decide it)."""
        return {}

    def make_env(self) -> Env:
        """The task, with its agents grouped and its opponents as asked. Raises ValueError for what cannot be.

        Against the side of a run it can be looked at, not played: see `facing_copies`.
        """
        return self._task(self.env.arguments)

    def make_train_env(self, task: Env) -> Env:
        """The task as teams learn it, with `train_env`'s arguments; `task`, which `make_env` made, if there are none.

        Raises ConfigError for what cannot be.
        """
        if not self.train_env:
            return task
        try:
            if "name" in self.train_env:
                raise ValueError(f"'name' is that of env, {self.env.name}: only its arguments may be others")
            return self._task({**self.env.arguments, **self.train_env})
        except ValueError as error:
            raise ConfigError(*mistakes_of(error)).within("train_env") from None

    def _task(self, arguments: Mapping[str, Any]) -> Env:
        from jaxmarl_comm.envs import make_env
        from jaxmarl_comm.envs.against import against
        from jaxmarl_comm.envs.grouping import regrouped

        task = make_env(self.env.name, **arguments)
        return against(regrouped(task, self.agent_groups), self.opponents)

    def judged_with(self, arguments: Mapping[str, Any]) -> Config:
        """A copy whose task has other arguments, in which teams that learned this one can act. Raises ConfigError."""
        from jaxmarl_comm.checks import check_alike

        if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
            raise ConfigError(
                f"arguments of a task are a dictionary of names and values, but this is {shown(arguments)}"
            )
        if "name" in arguments:
            raise ConfigError(f"env.name stays {self.env.name}, which teams have learned: only arguments may be others")
        task = EnvConfig.model_validate({"name": self.env.name, **merge(self.env.arguments, arguments)})
        changed = self.model_copy(update={"env": task})
        try:
            mistakes = [*check_alike(changed.make_env(), self.make_env())]
        except ValueError as error:
            raise ConfigError(*mistakes_of(error)) from None
        if mistakes:
            raise ConfigError(*mistakes)
        return changed

    def other_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Those of these arguments of the task that are others than in this config."""
        own = self.env.arguments
        return {name: value for name, value in arguments.items() if name not in own or own[name] != value}

    def nets(self, groups: Iterable[str]) -> dict[str, Net]:
        """Group -> what its agents' networks are made of."""
        return {group: self.net.of_group(group, self.hidden_dim) for group in groups}

    def silent_teams(self, env: Env) -> tuple[int, ...]:
        """Numbers of the teams that are to use neither channel nor words, `teams.NAME.channel` being false."""
        return tuple(k for k, team in enumerate(env.team_names) if self.teams.get(team, TeamConfig()).channel is False)

    def channel(self, env: Env) -> Channel:
        """What lies between the agents of this task. Raises ValueError where they clash."""
        from jaxmarl_comm.comm.channel import Channel

        return Channel(self.comm, env.teams, self.silent_teams(env))

    def action_kind(self, env: Env) -> Kind:
        """What kind of distribution actions are from."""
        if not env.continuous_actions:
            return "categorical"
        return "point" if self.deterministic else "beta"

    def of_team(self, team: str, setting: str) -> Any:
        """A team's own value of one of TeamConfig's settings, or that of all."""
        own = getattr(self.teams.get(team, TeamConfig()), setting)
        return getattr(self, setting) if own is None else own

    def reward_sharing_weight(self, team: str) -> float:
        """Weight of the team's mean reward against an agent's own."""
        return REWARD_SHARING_WEIGHT.get(self.of_team(team, "reward_sharing"), self.of_team(team, "reward_mix"))

    @property
    def evolves(self) -> bool:
        return self.evolution.population_size > 1

    @property
    def num_runs(self) -> int:
        """How many learn side by side: the members of all populations, of which there is one for each seed."""
        return self.num_seeds * self.evolution.population_size

    def of_member(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """Dotted settings of one member with these hyperparameters as a run of its own, where they are others."""
        return dict(numbers)

    @property
    def learn_from(self) -> int:
        """The iteration from which on there is learning."""
        return 0

    @property
    def breeds_from(self) -> int:
        """Iterations after which there may be a generation of what evolves: once anybody has learned."""
        return max(self.learn_from + 1, self.evolution.burn_in)

    @property
    def env_steps(self) -> int:
        """Environment steps of the whole run, per seed."""
        return self.num_iters * self.num_envs * self.rollout_len

    @property
    def scheduled(self) -> list[str]:
        """Numbers that may change over the run: each has a `_schedule` and an `_end`."""
        return [name.removesuffix("_schedule") for name in type(self).model_fields if name.endswith("_schedule")]

    def replace(self, changes: Mapping[str, Any] | None = None, **more: Any) -> Config:
        """A checked copy with other values; keys may be dotted: `cfg.replace({"comm.preset": "none"}, lr=1e-3)`.

        A new preset brings its own settings in place of the old preset's, and a new algorithm its own defaults in place
        of the old one's: what else is not of the new one is an error. Raises ConfigError.
        """
        changes = {**(changes or {}), **more}
        values = self.model_dump()
        if "algorithm" in changes:
            values = {name: value for name, value in values.items() if not self.is_default(name)}
        return build_config(changed(values, changes))

    def to_yaml(self) -> str:
        """Every field, in the order of this class."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False)


def default_cfg() -> Config:
    """The config that trains two agents to talk on simple_reference_v3; change it with `replace`."""
    return Config()


def build_config(values: Mapping[str, Any]) -> Config:
    """Config from nested values. Raises ConfigError, with a line for all that is unknown, mistyped or impossible."""
    if wrong := [f"unknown key {shown(key)}: keys are words" for key in values if not isinstance(key, str)]:
        raise ConfigError(*wrong)
    return Config(**values)


def as_config(cfg: Config | Mapping[str, Any]) -> Config:
    """A config as it is, or one made of a dictionary, whose keys may be dotted. Raises ConfigError."""
    if isinstance(cfg, Config):
        return cfg
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"a config is a Config or a dictionary of settings, but this is {shown(cfg)}")
    return build_config(merge({}, cfg))


def silent_control(cfg: Config) -> Config:
    """The same run of agents that can tell each other nothing. Raises ConfigError where there is none."""
    if cfg.comm.rounds == 0 and cfg.comm.speech == "none":
        raise ConfigError("control compares with a silent team, but this team is silent itself: comm.preset is none")
    teams = {name: team.model_copy(update={"channel": None}) for name, team in cfg.teams.items()}
    silent = {"comm": {"preset": "none"}, "teams": teams, "control": False}
    try:
        return build_config({**cfg.model_dump(), **silent})
    except ConfigError:
        raise ConfigError(
            f"there is no silent control of {cfg.env.name}: its agents can do nothing but speak"
        ) from None


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with dotted changes on top: a new preset takes the place of all that the old one brought."""
    comm = values.get("comm")
    if "comm.preset" in changes and isinstance(comm, Mapping):
        preset = comm.get("preset", CommConfig().preset)
        brought = CommConfig(preset=preset).model_dump() if isinstance(preset, str) and preset in PRESETS else {}
        own = {key: value for key, value in comm.items() if key not in brought or value != brought[key]}
        values = {**values, "comm": own}
    return merge(values, changes)


def load_config(path: str | Path, changes: Mapping[str, Any] | None = None) -> Config:
    """Config from a YAML file with dotted changes on top. Raises ConfigError that names the file."""
    try:
        return build_config(changed(read_mapping(path), changes or {}))
    except ConfigError as error:
        raise error.within(f"config {path}") from None


def differing_keys(a: Config, b: Config) -> list[str]:
    """Dotted keys in which two configs differ."""
    left, right = dict(flatten(a.model_dump())), dict(flatten(b.model_dump()))
    missing = object()  # None is a value like others
    return [key for key in {**left, **right} if left.get(key, missing) != right.get(key, missing)]
