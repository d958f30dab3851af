"""What all pictures share: colours and lines that everyone can tell apart, and files that are whole."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxmarl_comm.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours that the colour-blind tell apart (Okabe and Ito 2008), without yellow, which is hard to see on white. In
# grey, markers and dashes tell lines apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")
LEVEL_DASHES = {"silent optimum": ":", "oracle": "-.", "trained silent control": (0, (5, 1, 1, 1, 1, 1))}
SHARE = (-0.03, 1.03)  # limits of an axis for shares
LEGEND_WIDTH = 2.3  # inches for each label

Levels = Mapping[str, float | None]


def blank(width: float, height: float) -> Figure:
    """A figure of so many inches. Nobody need wait for matplotlib, which takes long to import, without a picture."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def style(k: int) -> dict[str, Any]:
    """Colour and marker of the k-th line."""
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def plain(name: str) -> str:
    """A run's name as matplotlib shows it: nothing in it is a formula, and nothing hides it from a legend."""
    return " " * name.startswith("_") + name.replace("$", r"\$")


def draw_levels(axis: Axes, levels: Levels, colour: str = "0.35") -> None:
    """A horizontal line for each name of LEVEL_DASHES whose level is known."""
    for name, level in levels.items():
        if level is not None:
            axis.axhline(level, color=colour, linestyle=LEVEL_DASHES[name], linewidth=1.2, label=name, zorder=1)


def draw_legend(figure: Figure) -> None:
    """One legend below all panels, each label once, levels last; none where nothing has a label."""
    handles: dict[str, Any] = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if labels := sorted(handles, key=LEVEL_DASHES.__contains__):
        lines, columns = [handles[label] for label in labels], int(figure.get_figwidth() / LEGEND_WIDTH)
        figure.legend(lines, labels, loc="outside lower center", ncols=columns, fontsize=9)


def save(figure: Figure, path: Path) -> None:
    """Write a picture to this PNG file, and as SVG beside it: the same bytes for the same picture. Raises RunError."""
    import matplotlib

    for kind, metadata in {"png": {}, "svg": {"Date": None}}.items():
        content = BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "jaxmarl_comm"}):
            figure.savefig(content, format=kind, dpi=120, metadata=metadata)
        write_whole(path.with_suffix(f".{kind}"), content.getvalue())
