"""Reading Markdown: what a page shows as code, and where."""

import re
import shlex
from typing import NamedTuple

from runs import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OURS = r"python (?:scripts/(?P<script>\w+)\.py|-m jaxmarl_comm)|jaxmarl-comm"
COMMAND = re.compile(rf"(?:{OURS})(?: (?P<words>.*))?$", re.DOTALL)


class Code(NamedTuple):
    """line: of its first line."""

    page: str
    line: int
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(page, language):
    """The fenced blocks of a language, in order."""
    text = page.read_text(encoding="utf-8")
    found = (match for match in FENCED.finditer(text) if match[1] == language)
    return [Code(page.name, text.count("\n", 0, match.start(2)) + 1, match[2]) for match in found]


def inline(page):
    """What stands in backticks in running text, on one line each."""
    text = FENCED.sub(lambda match: "\n" * match[0].count("\n"), page.read_text(encoding="utf-8"))
    for match in re.finditer(r"`([^`]+)`", text):
        yield Code(page.name, text.count("\n", 0, match.start()) + 1, " ".join(match[1].split()))


def shell_lines(page):
    """The single commands of its shell blocks."""
    for block in blocks(page, "sh"):
        for k, line in enumerate(block.text.splitlines()):
            for one in re.sub(r"\s+#.*", "", line).split(" && "):
                yield Code(block.page, block.line + k, one)


def command(text):
    """(name, words) of one of our commands; None of anything else."""
    found = COMMAND.match(text)
    if not found:
        return None
    words = shlex.split(found["words"] or "")
    name = found["script"] or (words.pop(0) if words else "--help")
    return name, words


def links(page):
    """Relative links, with what stands behind #."""
    text = page.read_text(encoding="utf-8")
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]


def headings(page):
    """As links name them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def section(page, heading):
    """What stands under a heading of second rank."""
    parts = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def named(text):
    """What stands in backticks."""
    return set(re.findall(r"`([^`]+)`", text))


def first_cells(text):
    """The same, in the first column of tables."""
    return set().union(*map(named, re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)))
