"""HTML in which nothing that comes from elsewhere can be read as markup: every text is escaped, unless it is Markup."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from jaxmarl_comm.run_folder import without_nan

VOID = {"link", "meta"}  # tags that hold nothing


class Markup(str):
    """Text that is HTML already."""


Content = str | None
"""What a tag may hold: text, Markup, or nothing."""


def tag(name: str, /, *content: Content, **attributes: Any) -> Markup:
    """`<name attribute="value">content</name>`. `class_` is class, `data_x` is data-x; None and False leave it out."""
    words = [name, *(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))]
    opening = f"<{' '.join(words)}>"
    return Markup(opening if name in VOID else f"{opening}{join(content)}</{name}>")


def join(parts: Iterable[Content]) -> Markup:
    """One after the other, each escaped unless it is Markup."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part or "") for part in parts))


def data(content: Any) -> Markup:
    """JSON for a script of the page to read, null for what is not finite. No script runs in it, and none can end it."""
    text = json.dumps(without_nan(content), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json")


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    return name if value is True else f'{name}="{escape(str(value))}"'
