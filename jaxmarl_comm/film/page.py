"""A film as one page, which needs nothing else: no network, no other file."""

from __future__ import annotations

import json
import re
from html import escape
from importlib.resources import files
from typing import Any

PLAYER = "player.html"


def film_page(film: dict[str, Any], title: str, subtitle: str) -> str:
    """HTML. Nothing in the film, whose labels may be anybody's, is read as markup or script."""
    data = json.dumps(film, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    page = files("jaxmarl_comm.film").joinpath(PLAYER).read_text(encoding="utf-8")
    parts = {"title": escape(title), "subtitle": escape(subtitle), "film": data}
    return re.sub(r"\{\{(title|subtitle|film)\}\}", lambda mark: parts[mark[1]], page)
