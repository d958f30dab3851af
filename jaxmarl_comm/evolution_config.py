"""Settings of evolution: how many members there are, who has descendants, and in what these differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from jaxmarl_comm.settings import ConfigError, Count, Real, Settings, Share

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

USUAL_RANGE = ("lr", "ent_coef")  # varied about the config's values where no ranges are given
USUAL_FACTOR = 10.0
LEAST_NUMBER = 1.2e-38  # of float32; less is 0
Range = Annotated[list[Annotated[Real, Field(gt=0)]], Field(min_length=2, max_length=2)]


class Probabilities(Settings):
    """How often each kind of mutation befalls a descendant, in relation to the others."""

    none: Share = Field(0.4, description="no mutation")
    rl_hp: Share = Field(0.4, description="one of the hyperparameters in ranges is multiplied by a factor")
    parameters: Share = Field(0.2, description="noise on a tenth of the policies' weights")
    architecture: Share = Field(0.0, description="more or fewer units or layers, within net.max_width and max_layers")
    activation: Share = Field(0.0, description="another of net.activations")

    @property
    def possible(self) -> dict[str, float]:
        """Kind -> weight, of the kinds that happen."""
        return {name: weight for name, weight in self.model_dump().items() if weight > 0}


KINDS = tuple(Probabilities.model_fields)
"""Of mutation, by the number that stands for each in metrics."""


class EvolutionConfig(Settings):
    """A population, evolved while it learns; a population of one is a run as ever."""

    population_size: Annotated[Count, Field(le=4096)] = Field(
        1, description="members that learn side by side, of which the fitter have descendants; 1: no evolution"
    )
    evo_interval: Count = Field(20, description="iterations between generations")
    selection: Literal["tournament", "truncation", "multi_frequency", "none"] = Field(
        "tournament",
        description="who has descendants: the fittest of tournament_size; the best quarter, in the place of the "
        "worst; the same in subpopulations that evolve now and then; or nobody, which is random search",
    )
    tournament_size: Count = Field(2, description="members of whom the fittest has a descendant")
    elitism: bool = Field(True, description="whether the fittest member stays as it is")
    mutate_elite: bool = Field(False, description="whether it is mutated, though, as in AgileRL")
    frequencies: list[Count] = Field(
        [1, 5], min_length=2, description="generations between those of each subpopulation, if multi_frequency"
    )

    probabilities: Probabilities = Field(default_factory=Probabilities, description="of the kinds of mutation")
    new_layer_prob: Share = Field(0.2, description="share of architecture mutations that concern layers, not units")
    mutation_sd: Real = Field(0.1, gt=0, description="size of noise on a weight, in relation to the weight")
    ranges: dict[str, Range] = Field(
        default_factory=dict,
        description="least and largest value of hyperparameters that evolve: {lr: [1e-4, 1e-2]}; none given: lr (and "
        "ent_coef, where there is one) from a tenth to tenfold",
    )
    grow_factor: Real = Field(1.2, gt=1, le=100, description="of a hyperparameter that grows")
    shrink_factor: Real = Field(0.8, gt=0, lt=1, description="of one that shrinks")
    random_start: bool = Field(False, description="whether members begin with hyperparameters at random in ranges")

    share_replay: bool = Field(
        False, description="whether members of a population learn from what all of them have done, in one buffer_size"
    )

    fitness: Literal["return", "success"] = Field("return", description="what is selected for, in greedy episodes")
    bit_price: Real = Field(0.0, ge=0, description="fitness that each bit costs that an agent sends in an episode")
    fitness_episodes: Annotated[Count, Field(ge=2)] = Field(
        1_000, description="episodes that fitness is measured in, of the same starts for all members"
    )
    fitness_window: Annotated[Count, Field(le=1_000)] = Field(1, description="latest measurements whose mean counts")
    target: Real | None = Field(None, description="fitness at which to stop early; null: never")
    patience: Count | None = Field(
        None, description="generations without a fitter member after which to stop early; null: never"
    )

    def ranges_of(self, cfg: Config) -> dict[str, tuple[float, float]]:
        """Hyperparameter -> (least, largest value), as given or as usual."""
        if self.ranges:
            return {name: (low, high) for name, (low, high) in self.ranges.items()}
        values = {name: getattr(cfg, name, 0.0) for name in USUAL_RANGE}
        return {name: (x / USUAL_FACTOR, x * USUAL_FACTOR) for name, x in values.items() if x}


def check_evolution(cfg: Config, env: Env) -> Iterator[str]:
    """What cannot evolve so, in one line each."""
    evolution = cfg.evolution
    if not cfg.evolves:
        if changed := [name for name in type(evolution).model_fields if not evolution.is_default(name)]:
            yield f"evolution.{changed[0]} means nothing in a population_size of 1"
        return
    yield from _check_generations(cfg, env)
    yield from _check_selection(evolution)
    yield from _check_mutations(cfg, env)


def _check_generations(cfg: Config, env: Env) -> Iterator[str]:
    evolution = cfg.evolution
    if evolution.evo_interval % cfg.log_interval:
        yield (
            f"evolution.evo_interval ({evolution.evo_interval}) must be a multiple of log_interval ({cfg.log_interval})"
        )
    first = (cfg.learn_from // evolution.evo_interval + 1) * evolution.evo_interval
    if first >= cfg.num_iters:
        after = f" once anybody has learned, after iteration {cfg.learn_from}" if cfg.learn_from else ""
        yield (
            f"evolution.evo_interval ({evolution.evo_interval}) leaves no generation before the end, at num_iters "
            f"({cfg.num_iters}){after}"
        )
    if len(env.team_names) > 1:
        yield (
            f"fitness is that of one team, but in {env.name} two learn: {' and '.join(env.team_names)}; let one be "
            "played, as by opponents: {" + f"{env.team_names[-1]}: random" + "}"
        )
    if cfg.control:
        yield (
            "control would train a silent team that does not evolve, which is no comparison: evolve one with "
            "comm.preset none, and evaluate with its fittest as control"
        )
    if evolution.bit_price and cfg.comm.rounds == 0 and cfg.comm.speech == "none":
        yield "evolution.bit_price means nothing where nobody can send: comm.preset is none"
    if evolution.share_replay and not cfg.replays:
        yield f"evolution.share_replay is for algorithms that learn from replay: not {cfg.algorithm}"
    if evolution.fitness == "success" and not env.tells_success:
        yield f"evolution.fitness is success, but {env.name} does not say what success is: set it to return"


def _check_selection(evolution: EvolutionConfig) -> Iterator[str]:
    size, parts = evolution.population_size, len(evolution.frequencies)
    if evolution.tournament_size > size:
        yield f"evolution.tournament_size ({evolution.tournament_size}) is more than the {size} members"
    if evolution.selection == "truncation" and size < 4:
        yield f"truncation takes quarters of the population: population_size is {size}, but must be 4"
    if evolution.selection == "multi_frequency" and (size % parts or size // parts < 4):
        yield (
            f"multi_frequency takes quarters of {parts} subpopulations: population_size ({size}) must be a multiple of "
            f"{parts}, and at least {4 * parts}"
        )
    if len(set(evolution.frequencies)) == 1:
        yield f"evolution.frequencies are all {evolution.frequencies[0]}, which is selection: truncation"
    for setting, used in (
        ("tournament_size", evolution.selection == "tournament"),
        ("frequencies", evolution.selection == "multi_frequency"),
        ("elitism", evolution.selection == "tournament"),
        ("mutate_elite", evolution.selection == "tournament"),
        ("probabilities", evolution.selection != "none"),
        ("grow_factor", evolution.selection != "none"),
        ("shrink_factor", evolution.selection != "none"),
        ("mutation_sd", evolution.selection != "none"),
        ("new_layer_prob", evolution.selection != "none"),
    ):
        if not used and not evolution.is_default(setting):
            yield f"evolution.{setting} means nothing here: selection is {evolution.selection}"
    if evolution.mutate_elite and not evolution.elitism:
        yield "evolution.mutate_elite means nothing where there is no elite: elitism is false"
    if not evolution.probabilities.possible:
        yield "evolution.probabilities are all 0: set none to 1 for descendants without mutation"


def _check_mutations(cfg: Config, env: Env) -> Iterator[str]:
    evolution, happens = cfg.evolution, cfg.evolution.probabilities.possible
    for name, (low, high) in evolution.ranges.items():
        if low >= high:
            yield f"evolution.ranges.{name} is [{low:g}, {high:g}]: the least value comes first"
    names = list(evolution.ranges_of(cfg))
    unheard_of = list(_check_varied(cfg, env, names))
    yield from unheard_of or _check_ends(cfg)
    yield from _check_of_team(cfg, env.team_names[0], names)
    yield from _check_begin(cfg)
    yield from _check_used(evolution)
    nets = cfg.nets(env.groups).values()
    if "architecture" in happens and not (cfg.net.max_width or cfg.net.max_layers):
        yield "evolution of architecture needs room: set net.max_width or net.max_layers"
    if "activation" in happens and not any(net.start and len(net.start.activations) > 1 for net in nets):
        yield "evolution of activation needs a choice: set net.activations, as to [relu, elu, gelu]"


def _check_used(evolution: EvolutionConfig) -> Iterator[str]:
    """Whether there are the mutations that settings are of."""
    if evolution.selection == "none":
        happens: set[str] = set()
    else:
        happens = set(evolution.probabilities.possible)
        for setting, kind in (
            ("new_layer_prob", "architecture"),
            ("mutation_sd", "parameters"),
            ("grow_factor", "rl_hp"),
            ("shrink_factor", "rl_hp"),
        ):
            if kind not in happens and not evolution.is_default(setting):
                yield f"evolution.{setting} means nothing while evolution.probabilities.{kind} is 0"
    if evolution.ranges and "rl_hp" not in happens and not evolution.random_start:
        yield "evolution.ranges mean nothing where hyperparameters neither mutate nor begin at random: set random_start"


def _check_begin(cfg: Config) -> Iterator[str]:
    """Members must begin in the ranges that they are kept in."""
    if cfg.evolution.random_start:
        return
    for name, (low, high) in cfg.evolution.ranges.items():
        of, _, inner = name.rpartition(".")
        begin = getattr(cfg.comm if of else cfg, inner, None)
        if name == "critic_lr" and begin is None:
            begin = cfg.lr
        if begin is not None and low < high and not low <= begin <= high:
            yield (
                f"evolution.ranges.{name} is [{low:g}, {high:g}], but members begin with {begin:g}: set {name} to one "
                "of these, or evolution.random_start"
            )


def _check_ends(cfg: Config) -> Iterator[str]:
    """The ends of a range must be what the setting may be, and numbers in the float32 that members have of it."""
    others = _mistakes(cfg)
    for name, ends in cfg.evolution.ranges.items():
        for end in ends:
            wrong = (f"{end:g} is 0 in single precision",) if end < LEAST_NUMBER else _mistakes(cfg, {name: whole(end)})
            for mistake in wrong:
                if mistake not in others:
                    yield f"evolution.ranges.{name} is [{ends[0]:g}, {ends[1]:g}]: {mistake}"


def _mistakes(cfg: Config, changes: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Of the config without evolution, with dotted changes."""
    try:
        cfg.replace({"evolution": {}, "control": False, **(changes or {})})
    except ConfigError as error:
        return error.mistakes
    return ()


def whole(value: float) -> float | int:
    """A number without decimals as such."""
    return int(value) if value.is_integer() else value


def _check_of_team(cfg: Config, team: str, names: list[str]) -> Iterator[str]:
    """What a team has of its own does not follow what evolves."""
    own = cfg.teams.get(team)
    for name in names:
        if own and name in type(own).model_fields and own.number(name) is not None:
            yield f"{name} cannot evolve where teams.{team} has its own: leave that out, or it out of ranges"


def _check_varied(cfg: Any, env: Env, names: list[str]) -> Iterator[str]:
    from jaxmarl_comm.algorithms.hyperparams import check_varied

    try:
        check_varied(cfg, cfg.channel(env), names)
    except ValueError as error:
        yield str(error)
