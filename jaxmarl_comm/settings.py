"""What all settings have in common: bounds of their numbers, how they are read from YAML, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from jaxmarl_comm.suggest import did_you_mean, one_line, shown
from jaxmarl_comm.synonyms import ours

LARGEST = 2**20  # bytes of a config
MAX_MISTAKES = 20  # that are told at once


class ConfigError(ValueError):
    """Mistakes in a config, each told in one line: what was wrong, where, and what would be right."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__(*dict.fromkeys(one_line(mistake) for mistake in mistakes))

    @property
    def mistakes(self) -> tuple[str, ...]:
        """What is told: one line each, and one for those beyond MAX_MISTAKES."""
        more = len(self.args) - MAX_MISTAKES
        return (*self.args[:MAX_MISTAKES], *([f"and {more} more mistakes"] if more > 0 else []))

    def __str__(self) -> str:
        return "; ".join(self.mistakes)

    def within(self, where: str) -> Self:
        """The same, each told to be of that file."""
        return type(self)(*(f"{where}: {mistake}" for mistake in self.args))


class ClashError(ConfigError):
    """Of settings each of which might be right, but not beside the others, or not in this task."""


def mistakes_of(error: ValueError) -> tuple[str, ...]:
    """What is wrong, one line each."""
    return error.args if isinstance(error, ConfigError) else (str(error),)


def _no_switch(value: Any) -> Any:
    # Python takes True for 1, and YAML takes `on` for True.
    if isinstance(value, bool):
        raise PydanticCustomError("switch", "input should be a number")
    return value


_Number = BeforeValidator(_no_switch)
Whole = Annotated[int, _Number, Field(ge=0, lt=2**31)]  # programs count in 32 bits
Count = Annotated[int, _Number, Field(ge=1, lt=2**31)]
Size = Annotated[int, _Number, Field(ge=1, le=2**16)]  # of a layer, a message
Seed = Annotated[int, _Number, Field(ge=0, lt=2**32)]  # what jax keeps of one
Real = Annotated[float, _Number, Field(le=1e30)]  # and reckon in float32
Share = Annotated[float, _Number, Field(ge=0, le=1)]


class Settings(BaseModel):
    """Frozen, finite, and strict about unknown keys."""

    # Whoever is only described, as --help does, needs no validator.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def is_default(self, name: str) -> bool:
        """Whether this setting is as it is where it is not given."""
        return bool(getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True))


def explain(error: ValidationError, model: type[BaseModel], *more_keys: str) -> ConfigError:
    """Pydantic's errors about such a model, in words that name the key.

    more_keys: other names that its fields go by.
    """
    known = [*dotted_fields(model), *more_keys]
    return ConfigError(*(mistake for each in error.errors() for mistake in _told(each, known)))


def _told(error: Any, known: list[str]) -> tuple[str, ...]:
    if error["type"] == "value_error":
        return mistakes_of(error["ctx"]["error"])
    return (_clause(error, known),)


def _clause(error: Any, known: list[str]) -> str:
    where = one_line(".".join(str(part) for part in error["loc"]))[:100]
    if error["type"] == "extra_forbidden":
        here = ours(where)
        return f"unknown key '{where}'" + (f": here it is {here}" if here else did_you_mean(where, known))
    if error["type"] == "missing":
        return f"'{where}' is missing"
    message = error["msg"]
    return f"'{where}' is {shown(error['input'])}: {message[0].lower()}{message[1:]}"


def dotted_fields(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Names of all fields, those of sections as `section.field`."""
    names = []
    for name, field in model.model_fields.items():
        section = field.annotation
        inside = isinstance(section, type) and issubclass(section, BaseModel)
        names += dotted_fields(section, f"{prefix}{name}.") if inside else [f"{prefix}{name}"]  # type: ignore[arg-type]
    return names


def read_mapping(path: str | Path) -> dict[str, Any]:
    """What a YAML file says. Raises ConfigError if it cannot be read, or is no mapping."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)  # of a device there is no end
        text = content.decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConfigError(f"cannot read it: {reason}") from None
    if len(content) > LARGEST:
        raise ConfigError(f"cannot read it: it has more than {LARGEST:,} bytes")
    values = read_yaml(text)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"it must be a mapping of keys to values, but is a {type(values).__name__}")
    return values


def read_yaml(text: str) -> Any:
    """What a text in YAML says. Raises ConfigError, also for a key given twice."""
    try:
        return yaml.load(text, _UniqueKeys)
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {_yaml_problem(error)}") from None
    except RecursionError:
        raise ConfigError("not valid YAML: too deeply nested") from None
    except ValueError as error:  # of a date or a number that cannot be
        raise ConfigError(f"not valid YAML: {error}") from None


class _UniqueKeys(yaml.SafeLoader):
    """Takes a key given twice for the mistake that it is."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is given twice", key.start_mark)
            seen.add((key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be parsed"
    return f"line {mark.line + 1}: {problem}" if mark else problem
