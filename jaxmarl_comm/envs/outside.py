"""Tasks that are not of this package: named `module:Class`, or as an installed package offers them."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from sysconfig import get_path
from typing import Any

from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, shown

OFFERED = "jaxmarl_comm.envs"  # the group of entry points in which other packages offer their tasks
PACKAGE = Path(__file__).parents[1]
LONGEST_MESSAGE = 200  # characters
_STRANGE: ContextVar[Path | None] = ContextVar("folder of a stranger", default=None)


@contextmanager
def from_stranger(folder: Path) -> Iterator[None]:
    """While inside, names may come out of this folder: no code that came with it is imported."""
    token = _STRANGE.set(folder.resolve())
    try:
        yield
    finally:
        _STRANGE.reset(token)


@cache
def offered() -> dict[str, EntryPoint]:
    """Name -> where it is, of the tasks that installed packages offer."""
    return {point.name: point for point in entry_points(group=OFFERED)}


def distrusted() -> Path | None:
    """The stranger's folder, inside `from_stranger`."""
    return _STRANGE.get()


def outside_class(name: str) -> Any:
    """What `module:Class` or an entry point stands for; None if the name is neither.

    A module may lie in the working directory. Raises ConfigError, in one line, if there is no such thing, or if
    importing it fails.
    """
    if point := offered().get(name):
        name = point.value
    module, colon, path = name.partition(":")
    if not colon:
        return None
    if not all(part.isidentifier() for part in [*module.split("."), *path.split(".")]):
        raise ConfigError(f"env.name is {shown(name)}, but a task of one's own is module:Class")
    found: Any = imported(module)
    for part in path.split("."):
        if not hasattr(found, part):
            near = [each for each in vars(found) if isinstance(getattr(found, each), type)]
            raise ConfigError(f"{module} has no {shown(part)}{did_you_mean(part, near)}, so there is no task {name}")
        found = getattr(found, part)
    return found


def imported(name: str) -> Any:
    """The module of this name. Raises ConfigError, in one line, if it cannot be imported, or came with a stranger."""
    if name in sys.modules:
        return sys.modules[name]
    try:
        for part in accumulate(name.split("."), "{}.{}".format):
            check_found(part, name)
            import_module(part)
    except ConfigError:
        raise
    except Exception as error:  # whatever somebody's module does
        raise ConfigError(f"cannot import {name}: {in_words(error)}") from error
    return sys.modules[name]


def check_found(part: str, name: str) -> None:
    """Raise ConfigError unless there is such a module, and it did not come with a stranger's folder.

    From here on, modules are also looked for in the working directory.
    """
    here = str(Path.cwd())
    if find_spec(part) is None and here not in sys.path:
        sys.path.append(here)  # behind all others, so that it hides nothing
    spec = find_spec(part)
    if spec is None:
        raise ConfigError(
            f"there is no module {part} here, nor in the packages that are installed, for env.name {name}"
        )
    if strange := _STRANGE.get():
        places = [
            Path(place).resolve() for place in [*(spec.submodule_search_locations or ()), spec.origin or ""] if place
        ]
        if any(place.is_relative_to(strange) or strange.is_relative_to(place) for place in places):
            raise ConfigError(
                f"{strange} names its task {name}, whose code lies with it: what comes with a run's folder is not run"
            )


def in_words(error: BaseException) -> str:
    """Kind and message of an error of somebody's code, and where in their file it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    # Ours by its path: a clone of ours may have the package's name, and hold their file.
    others = ("site-packages", get_path("stdlib"), str(PACKAGE), "<")
    own = [frame for frame in frames if not any(other in frame.filename for other in others)]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    message = str(error).strip().partition("\n")[0][:LONGEST_MESSAGE]
    if type(error).__name__ == "UnexpectedTracerError":  # of which jax's own first line says nothing that would help
        message = "what is computed in a step must be kept in the state, not on the task or elsewhere"
    return f"{type(error).__name__}: {message}{where}"
