"""Completion in shells: a script for each, which asks `jaxmarl-comm` itself, so that it never falls behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from jaxmarl_comm.about import list_parser
from jaxmarl_comm.cli import CONFIGS
from jaxmarl_comm.commands import COMMANDS
from jaxmarl_comm.fields import describe_fields
from jaxmarl_comm.options import SPELLINGS, SWITCHES, Parser
from jaxmarl_comm.parsers import PARSERS

SCRIPTS = {
    "bash": """\
_jaxmarl_comm() {
    COMPREPLY=($(jaxmarl-comm completion bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _jaxmarl_comm jaxmarl-comm""",
    "zsh": """\
_jaxmarl_comm() {
    local -a found
    found=(${(f)"$(jaxmarl-comm completion zsh "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    (( $#found )) && compadd -a found || _files
}
compdef _jaxmarl_comm jaxmarl-comm""",
    "fish": """\
function __jaxmarl_comm
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    jaxmarl-comm completion fish $before[2..-1] "$current" 2>/dev/null
end
complete -c jaxmarl-comm -a '(__jaxmarl_comm)'""",
}
"""Where nothing is known to follow, shells complete names of files."""

FOLDERS = {"train": CONFIGS, "study": CONFIGS / "studies"}  # of what --config may be
WITH_FIELDS = ("train", "study", "exploit")
SWITCH = ("true", "false")  # what a setting may be that needs no value

Following = Mapping[str, Sequence[str] | None]
"""Option -> the words that its value may be, where these are known; None of an option that has no value."""


def completion_parser() -> Parser:
    parser = Parser(
        description="The script with which a shell completes commands, options, settings and what they may be: "
        'eval "$(jaxmarl-comm completion bash)" in .bashrc, the same of zsh in .zshrc behind compinit, or '
        "jaxmarl-comm completion fish | source in config.fish."
    )
    parser.add_argument("shell", choices=list(SCRIPTS))
    return parser


COMPLETED: dict[str, Callable[[], Parser]] = {**PARSERS, "list": list_parser, "completion": completion_parser}


def completion_main(arguments: Sequence[str] | None = None) -> int:
    """`jaxmarl-comm completion SHELL`, and behind it what its script asks; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) > 1 and words[0] in SCRIPTS:
        print("\n".join(candidates(words[1:-1], words[-1])))
    else:
        print(SCRIPTS[completion_parser().parse_args(words).shell])
    return 0


def candidates(before: Sequence[str], current: str) -> list[str]:
    """What may stand in the place of `current` behind these words; none where it may be anything, or a file."""
    before, current = [word for word in before if word != "="], current.removeprefix("=")  # bash cuts at these
    if not before:
        return beginning(current, [*COMMANDS, "--help", "--version"])
    if before[0] not in COMPLETED:
        return []
    parser = COMPLETED[before[0]]()
    following, last = options(before[0], parser), before[-1].replace("-", "_")
    option, equals, value = current.partition("=")
    if equals:
        return [f"{option}={word}" for word in beginning(value, known(following, option) or ())]
    expected = known(following, last)
    if expected is not None and expected != SWITCH:
        return beginning(current, expected)
    positional = [choice for action in parser.positionals for choice in action.choices or ()]
    may_be_option = current.startswith("-") or not parser.positionals
    return beginning(current, [*(expected or ()), *positional, *(following if may_be_option else ())])


def options(command: str, parser: Parser) -> Following:
    """All that a command has, settings among them."""
    found: dict[str, Sequence[str] | None] = dict(parser.values())
    if command in FOLDERS:
        found["--config"] = sorted(file.stem for file in FOLDERS[command].glob("*.yaml"))
    if command in WITH_FIELDS:
        for each in describe_fields():
            found[f"--{each.key}"] = SWITCH if isinstance(each.default, bool) else each.choices
        found |= {f"--{name.replace('_', '-')}": None for name in SWITCHES}
        found |= {f"--{name.replace('_', '-')}": () for name in SPELLINGS}
    return found


def known(following: Following, word: str) -> Sequence[str] | None:
    """What may follow this word, `-` and `_` being the same."""
    return {option.replace("-", "_"): values for option, values in following.items()}.get(word.replace("-", "_"))


def beginning(current: str, words: Iterable[str]) -> list[str]:
    """Those that begin as typed so far; `_` is written as `-` where the user does."""
    dashed = "-" in current.removeprefix("--")
    written = (word.replace("_", "-") if dashed and word.startswith("--") else word for word in words)
    return [word for word in written if word.startswith(current)]
