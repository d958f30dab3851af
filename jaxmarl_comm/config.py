"""One object that says everything about a run: typed, bounded, frozen, and strict about unknown keys.

A field's description is its help text; `scripts/train.py --help` prints them all. This file imports neither jax nor
anything that does until a config is checked against its task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.net_config import Net, NetConfig
from jaxmarl_comm.settings import ConfigError, Count, Real, Seed, Settings, Share, Size, Whole, explain, read_mapping
from jaxmarl_comm.suggest import shown
from jaxmarl_comm.team_config import AgentGroups, RewardSharing, TeamConfig

if TYPE_CHECKING:
    from jaxmarl_comm.envs.against import Side
    from jaxmarl_comm.envs.base import Env

ALIASES = {"clip_param": "clip_eps", "entropy_coef": "ent_coef"}
"""Other names of fields, read and written alike; the right-hand one is stored."""

SECTIONS = {"env": "name", "comm": "preset", "net": "hidden"}
"""What a section's own name is taken for most often."""

Schedule = Literal["constant", "linear", "cosine"]
AgentId = Literal["none", "one_hot", "embedding"]


REWARD_SHARING_WEIGHT = {"individual": 0.0, "shared": 1.0}


class EnvConfig(Settings):
    """The task. Further keys are the task's own arguments, e.g. `N: 5` for simple_spread_v3."""

    model_config = ConfigDict(extra="allow")

    name: str = Field("simple_reference_v3", description="task, as PettingZoo names it")

    @property
    def arguments(self) -> dict[str, Any]:
        """The task's own arguments that were given."""
        return dict(self.model_extra or {})


class Config(Settings):
    """Everything about a run. Frozen: `replace` makes a changed copy. Raises ConfigError for what cannot be."""

    env: EnvConfig = Field(default_factory=EnvConfig, description="the task and its arguments")
    comm: CommConfig = Field(default_factory=CommConfig, description="how agents communicate")
    net: NetConfig = Field(default_factory=NetConfig, description="what networks are made of")
    algorithm: Literal["mappo", "ippo"] = Field(
        "mappo",
        description="how agents learn: PPO with critics that see more than agents do (mappo), or the same (ippo)",
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
        description="lr, critic_lr, ent_coef, reward_sharing or reward_mix of one team: {adversary: {lr: 1e-3}}",
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
    hidden_dim: Size = Field(64, description="width of the networks, the short way of net.hidden")
    actor_id: AgentId = Field("none", description="whether a shared policy is told whose it is")

    critic_input: Literal["own", "joint", "state", "joint_actions"] | None = Field(
        None,
        description="what critics go by: own observation (ippo's default); everybody's, own first (mappo's); own, and "
        "the task's whole state; everybody's observations and the others' actions",
    )
    share_critics: Literal["team", "group", "agent"] | None = Field(
        None, description="who has a critic in common; null: as share_params has it of policies"
    )
    critic_id: AgentId = Field("none", description="whether a shared critic is told whose value it estimates")
    critic_embed_dim: Annotated[Whole, Field(le=2**16)] = Field(
        0, description="numbers that all but an agent's own observation is compressed to for its critic; 0: not at all"
    )

    ppo_epochs: Count = Field(2, description="passes over each rollout")
    num_minibatches: Count = Field(16, description="minibatches per pass, cut along environments")
    grad_accumulation: Count = Field(1, description="parts of a minibatch whose gradients are added up one by one")
    lr: Real = Field(5e-3, gt=0, description="Adam's learning rate at the start")
    lr_schedule: Schedule = Field("linear", description="how learning rates change over the run")
    lr_end: Share = Field(0.0, description="share of the learning rates that is left at the end, unless constant")
    critic_lr: Real | None = Field(None, gt=0, description="of the critics, at the start; null: lr")
    max_grad_norm: Real = Field(0.5, gt=0, description="cap on the norm of policies' and of critics' gradients")
    target_kl: Real | None = Field(
        None,
        gt=0,
        description="approx_kl beyond which a minibatch and all that follow in its iteration update nothing",
    )

    gamma: Share = Field(0.8, description="discount per step")
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

    control: bool = Field(False, description="also train a silent team, as long, to tell what talk is worth")

    log_agent_metrics: bool = Field(False, description="whether metrics are also told of each agent")
    log_interval: Count = Field(20, description="iterations per jitted call, and per row of metrics.jsonl")
    eval_interval: Whole = Field(50, description="iterations between short evaluations in training; 0: at the end only")
    eval_episodes: Count = Field(10_000, ge=2, description="episodes of each evaluation in our environment")
    eval_episodes_mpe2: Whole = Field(1_000, description="episodes of the evaluation in the real mpe2; 0: none")
    checkpoint_interval: Count = Field(100, description="iterations between checkpoints; the last is always kept")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(explain(error, Config, *ALIASES)) from None

    @model_validator(mode="before")
    @classmethod
    def _sections_are_sections(cls, given: Any) -> Any:
        for name, section in given.items():
            if name in SECTIONS and not isinstance(section, Mapping | BaseModel):
                raise ValueError(no_section(name, section))
        return given

    @model_validator(mode="before")
    @classmethod
    def _rename_aliases(cls, given: Any) -> Any:
        for alias, name in ALIASES.items():
            if alias in given and name in given:
                raise ValueError(f"'{alias}' and '{name}' are the same setting; give one of them")
        return {ALIASES.get(key, key): value for key, value in given.items()}

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        # These import jax, which reading a config alone does not need.
        from jaxmarl_comm.checks import check_critics, check_nets, check_task, check_teams, check_updates

        env = self.make_env()
        check_task(self, env)
        check_updates(self)
        check_critics(self, env)
        check_nets(self, env)
        check_teams(self, env)
        if self.control:
            silent_control(self)
        return self

    def make_env(self, sides: Mapping[str, Side] | None = None) -> Env:
        """The task, with its agents grouped and its opponents as asked. Raises ValueError for what cannot be.

        sides: opponents that were loaded from runs, by team. Without them such a task can be looked at, not played.
        """
        from jaxmarl_comm.envs import make_env
        from jaxmarl_comm.envs.against import against
        from jaxmarl_comm.envs.grouping import regrouped

        task = make_env(self.env.name, **self.env.arguments)
        return against(regrouped(task, self.agent_groups), self.opponents, sides)

    def nets(self, groups: Iterable[str]) -> dict[str, Net]:
        """Group -> what its agents' networks are made of."""
        return {group: self.net.of_group(group, self.hidden_dim) for group in groups}

    @property
    def critic_sees(self) -> str:
        """`critic_input`, or what the algorithm's critics go by where that is not given."""
        return self.critic_input or {"mappo": "joint", "ippo": "own"}[self.algorithm]

    @property
    def critic_sharing(self) -> str:
        """`share_critics`, or what `share_params` says where that is not given."""
        return self.share_critics or ("group" if self.share_params else "agent")

    @property
    def clip_param(self) -> float:
        """Another name of `clip_eps`."""
        return self.clip_eps

    @property
    def entropy_coef(self) -> float:
        """Another name of `ent_coef`."""
        return self.ent_coef

    def of_team(self, team: str, setting: str) -> Any:
        """A team's own value of one of TeamConfig's settings, or that of all."""
        own = getattr(self.teams.get(team, TeamConfig()), setting)
        return getattr(self, setting) if own is None else own

    def reward_sharing_weight(self, team: str) -> float:
        """Weight of the team's mean reward against an agent's own."""
        return REWARD_SHARING_WEIGHT.get(self.of_team(team, "reward_sharing"), self.of_team(team, "reward_mix"))

    @property
    def env_steps(self) -> int:
        """Environment steps of the whole run, per seed."""
        return self.num_iters * self.num_envs * self.rollout_len

    def replace(self, changes: Mapping[str, Any] | None = None, **more: Any) -> Config:
        """A checked copy with other values; keys may be dotted: `cfg.replace({"comm.preset": "none"}, lr=1e-3)`.

        A new preset brings its own settings in place of the old preset's. Raises ConfigError.
        """
        changes = {**(changes or {}), **more}
        values = self.model_dump()
        if "comm.preset" in changes:
            old = CommConfig(preset=self.comm.preset).model_dump()
            values["comm"] = {key: value for key, value in values["comm"].items() if value != old[key]}
        return build_config(merge(values, changes))

    def to_yaml(self) -> str:
        """Every field, in the order of this class."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False)


def default_cfg() -> Config:
    """The config that trains two agents to talk on simple_reference_v3; change it with `replace`."""
    return Config()


def build_config(values: Mapping[str, Any]) -> Config:
    """Config from nested values. Raises ConfigError, in one line, for anything unknown, mistyped or impossible."""
    for key in values:
        if not isinstance(key, str):
            raise ConfigError(f"unknown key {shown(key)}: keys are words")
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
    try:
        return build_config({**cfg.model_dump(), "comm": {"preset": "none"}, "control": False})
    except ConfigError:
        raise ConfigError(
            f"there is no silent control of {cfg.env.name}: its agents can do nothing but speak"
        ) from None


def load_config(path: str | Path, changes: Mapping[str, Any] | None = None) -> Config:
    """Config from a YAML file with dotted changes on top. Raises ConfigError that names the file."""
    try:
        return build_config(merge(read_mapping(path), changes or {}))
    except ConfigError as error:
        raise ConfigError(f"config {path}: {error}") from None


def merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with dotted changes on top; an alias replaces the name that it stands for. Raises ConfigError."""
    merged = dict(values)
    for dotted, value in changes.items():
        key, _, rest = dotted.partition(".") if isinstance(dotted, str) else (dotted, "", "")
        if rest:
            inner = merged.get(key, {})
            inner = inner.model_dump() if isinstance(inner, BaseModel) else inner
            if not isinstance(inner, Mapping):
                raise ConfigError(f"'{dotted}' cannot be set: {no_section(key, inner)}")
            merged[key] = merge(inner, {rest: value})
        else:
            synonyms = {ALIASES.get(key, key), *(alias for alias, name in ALIASES.items() if name == key)}
            for synonym in synonyms - set(changes):
                merged.pop(synonym, None)
            merged[key] = value
    return merged


def no_section(name: str, value: Any) -> str:
    """What is wrong with a value where there should be settings with names of their own."""
    if name not in SECTIONS:
        return f"'{name}' is {shown(value)}, not a section"
    inner = SECTIONS[name]
    return (
        f"'{name}' is {shown(value)}, but holds settings: --{name}.{inner} NAME ({name}: {{{inner}: NAME}}) was meant"
    )


def differing_keys(a: Config, b: Config) -> list[str]:
    """Dotted keys in which two configs differ."""
    left, right = dict(flatten(a.model_dump())), dict(flatten(b.model_dump()))
    return [key for key in {**left, **right} if left.get(key) != right.get(key)]


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as (dotted key, value) pairs."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def describe_fields() -> Iterator[tuple[str, Any, str]]:
    """(dotted key, default, meaning) of every field."""
    for key, field, default in _leaves(Config, default_cfg()):
        names = [alias for alias, name in ALIASES.items() if name == key]
        also = f" (also {', '.join(names)})" if names else ""
        yield key, default, f"{field.description}{also}"


def _leaves(model: type[BaseModel], values: BaseModel, prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            yield from _leaves(type(value), value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field, value
