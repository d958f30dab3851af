"""What there is here, and whether it works on this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from jaxmarl_comm import __version__
from jaxmarl_comm.cli import CONFIGS, guarded
from jaxmarl_comm.commands import COMMANDS, PROGRAM
from jaxmarl_comm.files import RunError
from jaxmarl_comm.options import Parser
from jaxmarl_comm.suggest import did_you_mean, shown


def help_main() -> int:
    """What `jaxmarl-comm` says without a command, or to one that there is not; returns the exit status."""
    word = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if word == "--version":
        print(f"{PROGRAM} {__version__}")
    elif word in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        print(f"usage: {PROGRAM} COMMAND [OPTIONS]\n\n{PROGRAM} COMMAND --help tells the options of one; commands:\n")
        print("\n".join(f"  {name:{width}}  {what}" for name, (_, _, what) in COMMANDS.items()))
    else:
        print(f"error: there is no command {shown(word)}{did_you_mean(word, COMMANDS)} (see --help)", file=sys.stderr)
        return 2
    return 0


def tasks() -> list[str]:
    from jaxmarl_comm.envs import ENVS, offered

    return [*ENVS, *(f"{name:36}{point.value}" for name, point in offered().items())]


def protocols() -> list[str]:
    from jaxmarl_comm.comm.presets import PRESETS

    return list(PRESETS)


def opponents() -> list[str]:
    from jaxmarl_comm.envs import ENVS, make_env
    from jaxmarl_comm.scripted import SIDES, sides_of

    competing = [env for env in map(make_env, ENVS) if len(env.team_names) > 1]
    there = {name for env in competing for team in range(len(env.team_names)) for name in sides_of(env, team)}
    return [name for name in SIDES if name in there]


KINDS: dict[str, Callable[[], list[str]]] = {
    "tasks": tasks,
    "protocols": protocols,
    "opponents": opponents,
    "configs": lambda: described(CONFIGS.glob("*.yaml")),
    "studies": lambda: described((CONFIGS / "studies").glob("*.yaml")),
}


def described(files: Iterable[Path]) -> list[str]:
    """The name of each YAML file, and the first sentence of the comment that it begins with."""
    lines = []
    for file in sorted(files):
        comment = takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
        sentence = " ".join(line.removeprefix("#").strip() for line in comment).partition(". ")[0].removesuffix(".")
        lines.append(f"{file.stem:36}{sentence}".rstrip())
    return lines


def list_parser() -> Parser:
    parser = Parser(description="What can be named in a config or on a command line.")
    parser.add_argument("kind", nargs="?", choices=list(KINDS), help="only these (everything)")
    return parser


def list_main(arguments: Sequence[str] | None = None) -> int:
    """`jaxmarl-comm list`; returns the exit status."""
    given = list_parser().parse_args(arguments)

    def run() -> None:
        for kind in [given.kind] if given.kind else KINDS:
            print(f"{kind}:")
            print("\n".join(f"  {line}" for line in KINDS[kind]()), flush=True)

    return guarded(run)


def doctor_main(arguments: Sequence[str] | None = None) -> int:
    """`jaxmarl-comm doctor`; returns the exit status."""
    Parser(description="Versions, devices, and one update of a small team as a test.").parse_args(arguments)
    return guarded(examine)


def examine() -> None:
    """Tell what runs what here. Raises RunError if training does not work."""
    from jaxmarl_comm.checkpoint_record import versions

    print(", ".join(f"{name} {number}" for name, number in versions().items()))
    began = time.perf_counter()
    try:
        tell_devices()
        works = try_training()
    except Exception as error:  # whatever a broken installation does
        raise RunError(f"jax does not work here: {type(error).__name__}: {error}") from None
    if not works:
        raise RunError("training does not work here: what was learned is not finite; reinstall jax for this device")
    print(f"a small team was compiled and trained in {time.perf_counter() - began:.1f} s: training works here")


def tell_devices() -> None:
    import jax

    for device in jax.devices():
        print(f"device {device.id}: {device.platform}, {device.device_kind}")


def try_training() -> bool:
    """Whether what a small team has learned in one update is finite."""
    import jax
    import jax.numpy as jnp

    from jaxmarl_comm.algorithms import make_algorithm
    from jaxmarl_comm.config import default_cfg

    cfg = default_cfg().replace({"env.name": "simple_v3", "comm.preset": "none"}, num_envs=16, hidden_dim=16)
    algorithm = make_algorithm(cfg, cfg.make_env())
    state, _ = jax.jit(algorithm.update)(jax.jit(algorithm.init)(jax.random.key(0)))
    learned = jax.tree.leaves(algorithm.team(state))
    return all(bool(jnp.isfinite(x).all()) for x in learned)
