"""What is said of a run before it begins, and once it is over."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import jax

from jaxmarl_comm.comm.words import in_words
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.memory import largest_need, memory_of_machine
from jaxmarl_comm.net_config import Net
from jaxmarl_comm.repeat import command

if TYPE_CHECKING:
    from jaxmarl_comm.checkpoint import Record

SHARING = {
    "shared": "each agent learns from its team's mean",
    "individual": "each agent learns from its own",
    "mixed": "each agent learns from its team's mean by {mix:.0%}, and from its own",
}


def header(cfg: Config, env: Env, folder: Path) -> list[str]:
    """What is about to run, and where."""
    rows = {
        "experiment": experiment(cfg, env),
        "policies": policies(cfg, env),
        "channel": channel(cfg, env),
        "rewards": rewards(cfg, env),
        "devices": devices(cfg),
        "run folder": str(folder),
    }
    return aligned(rows)


def closing(cfg: Config, folder: Path, best: Record | None) -> list[str]:
    """How well it went, and how to do it again. best: of the best checkpoint, if there is one."""
    rows = {}
    if best is not None:
        mean = " (mean over seeds)" if cfg.num_seeds > 1 else ""
        rows["best return"] = f"{best.greedy_return:.2f}{mean}, greedy, in training, after iteration {best.iteration}"
        rows["best checkpoint"] = str(folder / "best" / str(best.iteration))
        rows["to evaluate it"] = f"python scripts/evaluate.py --run {shlex.quote(str(folder))} --checkpoint best"
    return aligned(rows | {"to repeat the run": command(cfg)})


def aligned(rows: dict[str, str]) -> list[str]:
    """A line of each, what is said below each other."""
    width = max(map(len, rows))
    return [f"{name:{width}}  {told}" for name, told in rows.items()]


def experiment(cfg: Config, env: Env) -> str:
    """Which algorithm learns what, for how long, and against whom."""
    seeds = f"{cfg.num_seeds} seed{'s' * (cfg.num_seeds > 1)} of {cfg.env_steps:,} environment steps"
    against = "".join(f", against {who} as {team}" for team, who in cfg.opponents.items())
    members = f" for each of {cfg.evolution.population_size} members, evolving" if cfg.evolves else ""
    own = " and ".join(f"{name} is {value}" for name, value in cfg.train_env.items())
    learned = f"; while teams learn, {own}" if own else ""
    return f"{cfg.algorithm} on {env.name}{against}, {seeds}{members}{learned}"


def policies(cfg: Config, env: Env) -> str:
    """Who has a network of its own, and what it is made of."""
    alone = not cfg.share_params or all(len(where) == 1 for where in env.groups.values())
    whose = "one for each agent" if alone else "shared within groups"
    agents = ", ".join(f"{len(where)} {group}" for group, where in env.groups.items())
    nets = dict.fromkeys(map(network, cfg.nets(env.groups).values()))
    memory = "no memory" if cfg.net.memory == "none" else f"memory {cfg.net.memory}"
    back = ", looking back one step" if cfg.net.last_step else ""
    return f"{whose} ({agents}), {' or '.join(nets)}, {memory}{back}"


def network(net: Net) -> str:
    """Widths of its layers, and what follows each."""
    most = "-".join(map(str, net.hidden))
    if net.start is None:
        return f"{most} {net.activation}"
    return f"{'-'.join([str(net.start.width)] * net.start.layers)} {net.activation}, at most {most}"


def channel(cfg: Config, env: Env) -> str:
    """What agents can tell each other."""
    silent = [env.team_names[k] for k in cfg.silent_teams(env)]
    return in_words(cfg.comm) + (f"; {', '.join(silent)} silent" if silent else "")


def rewards(cfg: Config, env: Env) -> str:
    """What agents learn from, team by team where that differs."""
    told = {}
    for team in env.team_names:
        kind = cfg.of_team(team, "reward_sharing")
        told[team] = f"{kind}: {SHARING[kind].format(mix=cfg.of_team(team, 'reward_mix'))}"
    kinds = set(told.values())
    return kinds.pop() if len(kinds) == 1 else "; ".join(f"{team} {what}" for team, what in told.items())


def devices(cfg: Config) -> str:
    """What computes, and how much memory a run takes at the least, of how much there is."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(d.device_kind for d in jax.devices()).items())
    what, needed = largest_need(cfg)
    return f"{kinds}, {in_bytes(memory_of_machine())}; at least {in_bytes(needed)} needed ({what})"


def in_bytes(number: int) -> str:
    """In MB, or in GB from one on."""
    if number >= 1e9:
        return f"{number / 1e9:,.1f} GB"
    return f"{number / 1e6:.0f} MB" if number >= 1e7 else f"{number / 1e6:.1f} MB"
