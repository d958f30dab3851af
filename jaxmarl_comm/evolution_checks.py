"""What cannot evolve so: how populations are bred, and within what ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jaxmarl_comm.algorithms.hyperparams import check_varied
from jaxmarl_comm.evolution_config import EvolutionConfig, whole
from jaxmarl_comm.settings import ConfigError

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

LEAST_NUMBER = 1.2e-38  # of float32; less is 0


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
    first = -(-cfg.breeds_from // evolution.evo_interval) * evolution.evo_interval
    if first >= cfg.num_iters:
        if evolution.burn_in > cfg.learn_from:
            after = f" after evolution.burn_in ({evolution.burn_in})"
        else:
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
        ("resample_prob", evolution.selection != "none"),
        ("burn_in", evolution.selection != "none"),
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
            ("resample_prob", "rl_hp"),
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


def _check_of_team(cfg: Config, team: str, names: list[str]) -> Iterator[str]:
    """What a team has of its own does not follow what evolves."""
    own, alike = cfg.teams.get(team), getattr(cfg, "critic_lr", None) is None
    for name in names:
        if own and name in type(own).model_fields and own.number(name, alike) is not None:
            yield f"{name} cannot evolve where teams.{team} has its own: leave that out, or it out of ranges"


def _check_varied(cfg: Any, env: Env, names: list[str]) -> Iterator[str]:
    try:
        check_varied(cfg, cfg.channel(env), names)
    except ValueError as error:
        yield str(error)
