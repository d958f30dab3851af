"""A film to be played: on a page of its own, or as a part of another."""

from __future__ import annotations

from typing import Any

from jaxmarl_comm.page.document import document, lines, resource
from jaxmarl_comm.page.markup import Markup, data, tag


def film_page(film: dict[str, Any], title: str, subtitle: str) -> str:
    """HTML. Nothing in the film, whose labels may be anybody's, is read as markup or script."""
    head = tag("header", tag("h1", title), tag("p", subtitle, class_="about"))
    return document(title, tag("main", head, player(film)), ["player.js"])


def player(film: dict[str, Any]) -> Markup:
    """A film with what it takes to choose an episode, play and scrub it, for a page that has `player.js`."""
    return tag("div", lines(Markup(resource("player.html")), data(film)), class_="replay")
