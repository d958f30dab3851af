"""Which message goes with which goal, as tables whose cells are the darker the more often it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxmarl_comm.page.markup import Markup, tag
from jaxmarl_comm.page.numbers import NOTHING, number, percent
from jaxmarl_comm.report.found import MessageTable
from jaxmarl_comm.report.messages import DARK, goals_of

DARKEST = (8, 48, 107)  # red, green, blue


def message_tables(tables: Mapping[str, MessageTable]) -> Markup:
    """A table for each agent, with the same rows: p(goal | message) of the first seed, grouped by goal."""
    goals = goals_of({agent: table.model_dump() for agent, table in tables.items()})
    return tag("div", *(_table(agent, table, goals) for agent, table in tables.items()), class_="heat")


def _table(agent: str, table: MessageTable, goals: Mapping[int, int]) -> Markup:
    """Rows of symbols that this agent never uses stay empty; a line stands where the next goal begins."""
    counts = dict(zip(table.symbols, table.counts, strict=True))
    head = tag(
        "tr", tag("th", "message"), *(tag("th", f"goal {k}") for k in range(len(table.counts[0]))), tag("th", "share")
    )
    rows, before = [], None
    for symbol, goal in goals.items():
        first = before is not None and goal != before
        rows.append(_row(symbol, counts.get(symbol, []), table, first))
        before = goal
    told = f"{agent}: {table.n:,} messages, I(m; goal) = {number(table.information)} nats"
    return tag("div", tag("table", tag("caption", told), tag("thead", head), tag("tbody", *rows)))


def _row(symbol: int, counts: Sequence[int], table: MessageTable, first: bool) -> Markup:
    used, width = sum(counts), len(table.counts[0])
    cells = [_cell(count / used) for count in counts] if used else [tag("td")] * width
    share = percent(used / table.n) if used else NOTHING
    return tag(
        "tr", tag("th", str(symbol)), *cells, tag("td", share, class_="share"), class_="first" if first else None
    )


def _cell(chance: float) -> Markup:
    paint = ",".join(f"{255 + (part - 255) * chance:.0f}" for part in DARKEST)
    ink = "#fff" if chance >= DARK else "#111"
    return tag("td", f"{chance:.0%}", style=f"background:rgb({paint});color:{ink}")
