"""A whole page as one file: its looks and its scripts inside, no network, and nothing else that could run."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from jaxmarl_comm.page.markup import Markup, join, tag

LARGEST = 1_000_000  # bytes of a page that opens at once on a phone


def document(title: str, body: Markup, scripts: Sequence[str]) -> str:
    """HTML. scripts: names of files of this room, which find by themselves what they are to move.

    A browser runs these and no other script, and loads nothing from anywhere: the page's own policy says so, should a
    text ever be taken for markup.
    """
    style, code = resource("page.css"), "".join(map(resource, scripts))
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(code)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(style)),
    ]
    page = tag("html", tag("head", *head), tag("body", body, tag("script", Markup(code))), lang="en")
    return f"<!doctype html>\n{page}\n"


def policy(code: str) -> str:
    """What a browser may do with a page whose only script is this one."""
    known = b64encode(sha256(code.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{known}'"


def resource(name: str) -> str:
    """The text of a file of this room."""
    return files("jaxmarl_comm.page").joinpath(name).read_text(encoding="utf-8")


def lines(*parts: str | None) -> Markup:
    """Parts of a page below each other, without those that are nothing."""
    return Markup("\n".join(join([part]) for part in parts if part))
