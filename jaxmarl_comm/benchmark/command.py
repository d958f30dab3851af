"""What `scripts/benchmark.py` reads from its command line, and the tables that it prints."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax

from jaxmarl_comm.benchmark import evolving
from jaxmarl_comm.benchmark.measure import (
    JAXMARL,
    MPE2,
    OURS,
    Row,
    find_jaxmarl,
    machine,
    measure_task,
    measure_team,
    peers_of,
)
from jaxmarl_comm.benchmark.training import Variant, measure_variants
from jaxmarl_comm.benchmark.versus_agilerl import CONFIG, Trained, compare
from jaxmarl_comm.cli import CONFIGS
from jaxmarl_comm.comm import PRESETS
from jaxmarl_comm.config import Config, default_cfg, load_config
from jaxmarl_comm.envs import ENVS, make_env
from jaxmarl_comm.envs.foreign import PREFIX
from jaxmarl_comm.offpolicy_config import OffPolicyConfig
from jaxmarl_comm.options import Parser
from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, shown

SIZES = (1, 64, 1024, 8192)
TEAMS = (3, 10, 30, 100)
NETWORKS: dict[str, dict[str, Any]] = {
    "no memory": {},
    "gru": {"net.memory": "gru"},
    "lstm": {"net.memory": "lstm"},
    "gru, critics too": {"net.memory": "gru", "net.critic_memory": "gru"},
    "bfloat16": {"net.precision": "bfloat16"},
}
"""What policies and critics may be made of: name -> the settings that differ from the default."""
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/benchmark.py`; returns the exit status."""
    parser = command_line()
    given = parser.parse_args(arguments)
    wrong = mistake(given)
    if wrong:
        parser.error(wrong)
    benchmarks = {
        "env": benchmark_env,
        "scaling": benchmark_scaling,
        "channel": benchmark_channel,
        "networks": benchmark_networks,
        "agilerl": benchmark_agilerl,
        "evolution": benchmark_evolution,
    }
    try:
        rows = list(benchmarks[given.command](given))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        last = (failed.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"error: {failed.cmd[0]} cannot train AgileRL's agent: {shown(last)}", file=sys.stderr)
        return 1
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", encoding="utf-8")
    return 0


def command_line() -> Parser:
    """What may be asked."""
    parser = Parser(description="Measure this project's speed.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    of_env, scaling = env_command(commands), scaling_command(commands)
    for command in (of_env, scaling):
        command.add_argument(
            "--seconds", type=float, default=0.2, help="length of one measurement, at least (default: %(default)s)"
        )
    repeated = (of_env, scaling, channel_command(commands), networks_command(commands), agilerl_command(commands))
    for command in repeated:
        command.add_argument("--turns", type=int, default=5, help="measurements of each (default: %(default)s)")
    for command in (*repeated, evolution_command(commands)):
        command.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


def env_command(commands: Commands) -> Parser:
    command: Parser = commands.add_parser(
        "env",
        help="steps per second of every task, beside mpe2 and JaxMARL",
        description="Steps per second under random actions with auto-reset, one step being one environment's, of all "
        "its agents; beside mpe2 in one process and, where it is installed, JaxMARL, measured in turn.",
    )
    command.add_argument("tasks", nargs="*", metavar="TASK", help="default: all")
    command.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="E", help="numbers of environments")
    command.add_argument("--continuous", action="store_true", help="continuous actions")
    command.add_argument("--alone", action="store_true", help="without the peers")
    command.add_argument(
        "--devices",
        type=int,
        default=1,
        metavar="D",
        help="to share the environments among; without an accelerator, cores of the processor (default: %(default)s)",
    )
    return command


def scaling_command(commands: Commands) -> Parser:
    command: Parser = commands.add_parser(
        "scaling",
        help="compile time and cost of a step against the number of agents",
        description="Compile time and cost of a step of simple_spread_v3 against its number of agents.",
    )
    command.add_argument("--agents", type=int, nargs="+", default=TEAMS, metavar="N", help="numbers of agents")
    command.add_argument("--num-envs", type=int, default=64, metavar="E", help="environments (default: %(default)s)")
    return command


def channel_command(commands: Commands) -> Parser:
    command: Parser = commands.add_parser(
        "channel",
        help="what the presets of the channel cost in training",
        description="Environment steps per second of whole training iterations, and their time as a ratio to the first "
        "preset's, measured in turn. All else is as in the default config.",
    )
    command.add_argument("presets", nargs="*", default=list(PRESETS), metavar="PRESET", help="default: all")
    of_task(command)
    return command


def networks_command(commands: Commands) -> Parser:
    command: Parser = commands.add_parser(
        "networks",
        help="what memory and half the bits cost, or save, in training",
        description="Environment steps per second of whole training iterations with "
        f"{', '.join(NETWORKS)}, and their time as a ratio to the first's, measured in turn. All else is as in the "
        "default config.",
    )
    of_task(command)
    command.add_argument("--preset", default="commnet", help="of the channel (default: %(default)s)")
    command.add_argument("--hidden-dim", type=int, default=64, metavar="H", help="width (default: %(default)s)")
    return command


def of_task(command: Parser) -> None:
    """The option that says where to train."""
    command.add_argument("--env", default="simple_reference_v3", metavar="TASK", help="(default: %(default)s)")


def agilerl_command(commands: Commands) -> Parser:
    command: Parser = commands.add_parser(
        "agilerl",
        help="MATD3 as in AgileRL's tutorial, beside AgileRL",
        description=f"Environment steps per second of training by {CONFIG}, and of AgileRL's own loop with the same "
        "environments, batch, networks and replay ratio, in turn; and the return that each has come to.",
    )
    with_agilerl(command, 50_000, "environment steps of a training")
    command.add_argument(
        "--same-environments", action="store_true", help="ours plays mpe2's environments in Python, too"
    )
    return command


def evolution_command(commands: Commands) -> Parser:
    command: Parser = commands.add_parser(
        "evolution",
        help="a population as in AgileRL's tutorial, beside AgileRL",
        description="How long AgileRL's population takes to the best return that it has in so many steps, or to the "
        f"level that is given, and how long that of {evolving.CONFIG} takes to it: in training, of the best member.",
    )
    with_agilerl(command, 100_000, "environment steps of each of AgileRL's members")
    command.add_argument("--level", type=float, metavar="RETURN", help="default: the best that AgileRL comes to")
    return command


def with_agilerl(command: Parser, steps: int, of_what: str) -> None:
    """The options of a comparison with it."""
    command.add_argument("--python", required=True, metavar="PATH", help="a Python that has agilerl and mpe2")
    command.add_argument("--steps", type=int, default=steps, help=f"{of_what} (default: {steps:,})")
    command.add_argument("--threads", type=int, default=1, help="of PyTorch (default: %(default)s)")


def mistake(given: argparse.Namespace) -> str | None:
    """What is wrong with the arguments, if anything."""
    asked = vars(given)
    tasks = [*asked.get("tasks", ()), *filter(None, [asked.get("env")])]
    presets = [*asked.get("presets", ()), *filter(None, [asked.get("preset")])]
    for kind, names, known in (("task", tasks, list(ENVS)), ("preset", presets, list(PRESETS))):
        for name in names:
            if name not in known:
                return f"unknown {kind} '{name}'{did_you_mean(name, known)}; there are {', '.join(known)}"
    if given.command in ("agilerl", "evolution") and shutil.which(given.python) is None:
        return f"there is no Python {given.python}"
    for name in ("sizes", "agents", "num_envs", "turns", "steps", "threads", "devices", "hidden_dim"):
        values = getattr(given, name, 1)
        if min(values if isinstance(values, Sequence) else [values]) < 1:
            return f"--{name.replace('_', '-')} must be at least 1"
    if given.command == "env" and (odd := [size for size in given.sizes if size % given.devices]):
        return f"--devices {given.devices} cannot share {odd[0]} environments in equal numbers: choose other --sizes"
    if given.json and not given.json.absolute().parent.is_dir():
        return f"there is no folder {given.json.parent} to write to"
    return None


def benchmark_env(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Print the table as it grows, and give its rows. Raises ConfigError if there are not so many devices."""
    if given.devices > 1:
        jax.config.update("jax_num_cpu_devices", given.devices)  # without an accelerator, so many of the cores
    if jax.device_count() < given.devices:
        raise ConfigError(f"--devices is {given.devices}, but there are {jax.device_count()}")
    jaxmarl = None if given.alone else find_jaxmarl()
    print(f"environment steps per second, medians of {given.turns} turns of {given.seconds:g} s; {machine()}")
    if given.devices > 1:
        print(f"shared among {given.devices} devices")
    if jaxmarl is None and not given.alone:
        print("JaxMARL is not installed here")
    print(
        f"{'':28}{'environments':>12}{'ours':>13}{'mpe2':>9}{'JaxMARL':>11}{'ours / mpe2':>13}{'ours / JaxMARL':>16}",
        end="",
    )
    print("   compile (ours, JaxMARL)")
    for name in given.tasks or ENVS:
        env = make_env(name, continuous_actions=given.continuous)
        peers = {} if given.alone else peers_of(env, jaxmarl)
        for num_envs in given.sizes:
            row = measure_task(env, num_envs, given.turns, given.seconds, peers, given.devices)
            print(env_line(row), flush=True)
            yield row._asdict()


def env_line(row: Row) -> str:
    """One line of the table."""

    def cell(values: Mapping[str, float], side: str, width: int, form: str) -> str:
        return f"{format(values[side], form) if side in values else '-':>{width}}"

    return (
        f"{row.task:28}{row.num_envs:12,}"
        + cell(row.rates, OURS, 13, ",.0f")
        + cell(row.rates, MPE2, 9, ",.0f")
        + cell(row.rates, JAXMARL, 11, ",.0f")
        + cell(row.ratios, MPE2, 13, ",.0f")
        + cell(row.ratios, JAXMARL, 16, ",.1f")
        + cell(row.compile_seconds, OURS, 10, ".1f")
        + cell(row.compile_seconds, JAXMARL, 6, ".1f")
        + " s"
    )


def benchmark_scaling(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Print the table as it grows, and give its rows."""
    print(f"simple_spread_v3 in {given.num_envs:,} environments, medians of {given.turns} turns; {machine()}")
    print("pairs: ordered pairs of agents and of agents with landmarks, which contacts, rewards and observations need")
    print(f"{'N':>6}{'pairs':>10}{'compile':>11}{'step of one environment':>26}{'per pair':>12}")
    measure_team(1, given.num_envs, 1, 0.0)  # so that what is done but once is not counted as compiling the first team
    for num_agents in given.agents:
        compile_seconds, microseconds = measure_team(num_agents, given.num_envs, given.turns, given.seconds)
        pairs = num_agents * (2 * num_agents - 1)
        print(
            f"{num_agents:6}{pairs:10,}{compile_seconds:9.2f} s{microseconds:23.2f} µs"
            f"{1000 * microseconds / pairs:9.2f} ns",
            flush=True,
        )
        yield {"N": num_agents, "pairs": pairs, "compile_seconds": compile_seconds, "step_microseconds": microseconds}


def benchmark_channel(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Print the table, and give its rows."""
    cfg = default_cfg().replace({"env.name": given.env})
    return benchmark_variants(
        "preset", cfg, [(preset, {"comm.preset": preset}) for preset in given.presets], given.turns
    )


def benchmark_networks(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Print the table, and give its rows."""
    changes = {"env.name": given.env, "comm.preset": given.preset, "hidden_dim": given.hidden_dim}
    cfg = default_cfg().replace(changes)
    print(f"{cfg.algorithm}, {cfg.hidden_dim} units, channel {cfg.comm.preset}")
    rows = benchmark_variants("networks", cfg, list(NETWORKS.items()), given.turns)
    return (row | {"preset": given.preset, "hidden_dim": given.hidden_dim} for row in rows)


def benchmark_variants(kind: str, cfg: Config, variants: Sequence[Variant], turns: int) -> Iterator[dict[str, Any]]:
    """Print what each costs, and give its rows. kind: what is varied."""
    print(f"training on {cfg.env.name}, {cfg.num_envs} environments, medians of {turns} turns; {machine()}")
    costs = measure_variants(cfg, variants, turns)
    width = 2 + max(len(kind), *(len(cost.variant) for cost in costs))
    print(f"{kind:{width}}{'steps per second':>18}{'time / ' + costs[0].variant:>18}{'compile':>11}")
    for cost in costs:
        print(f"{cost.variant:{width}}{cost.rate:18,.0f}{cost.ratio:18.2f}{cost.compile_seconds:9.1f} s")
        named = {"task": cfg.env.name, "num_envs": cfg.num_envs, kind: cost.variant}
        yield named | {name: value for name, value in cost._asdict().items() if name != "variant"}


def benchmark_agilerl(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Print the table, and give its rows."""
    cfg = load_config(CONFIGS / CONFIG)
    if given.same_environments:
        theirs = {"env.name": f"{PREFIX}mpe2.{cfg.env.name}", "env.ends_early": False}
        cfg = cfg.replace({**theirs, "comm.preset": "none"})  # words are among the actions there
    assert isinstance(cfg, OffPolicyConfig)
    print(
        f"MATD3 on {cfg.env.name}, {cfg.num_envs} environments, batches of {cfg.batch_size}, each step learned from "
        f"{cfg.replay_ratio:g} times; {given.steps:,} steps, medians of {given.turns} turns; {machine()}"
    )
    found = compare(cfg, given.python, given.steps, given.threads, given.turns)
    for side, trained in (("ours", found.ours), ("AgileRL", found.theirs)):
        rate, returns = (statistics.median(getattr(x, name) for x in trained) for name in Trained._fields)
        print(f"{side:8}{rate:12,.0f} steps per second, return {returns:.2f}")
    print(f"ours / AgileRL {found.ratio:.1f}; ours compiled in {found.compile_seconds:.1f} s before")
    yield found._asdict() | {"ratio": found.ratio}


def benchmark_evolution(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Print what each took, and give the row."""
    tutorial, cfg = load_config(CONFIGS / CONFIG), load_config(CONFIGS / evolving.CONFIG)
    assert isinstance(tutorial, OffPolicyConfig) and isinstance(cfg, OffPolicyConfig)
    print(f"MATD3 on {cfg.env.name}, populations of {cfg.evolution.population_size}; {machine()}")
    found = evolving.race(tutorial, cfg, given.python, given.steps, given.threads, given.level)
    for line in evolving.race_lines(found):
        print(line)
    yield {
        **found._asdict(),
        "theirs": [reached._asdict() for reached in found.theirs],
        "ours": [reached._asdict() for reached in found.ours],
        "ratio": found.ratio(),
        "ratio_with_compiling": found.ratio(compiling=True),
    }
