"""Numbers as a reader wants them."""

from __future__ import annotations

from jaxmarl_comm.report.found import Found

MINUS, NOTHING = "\N{MINUS SIGN}", "\N{EN DASH}"
WIDE = 1e5  # numbers from here on have no room for digits after the point


def mean(found: Found | None) -> float | None:
    """Of an estimate, if there is one."""
    return found.mean if found else None


def number(x: float | None, digits: int = 2) -> str:
    """`−7.39`; what is very large by its first digits."""
    if x is None:
        return NOTHING
    return (f"{x:,.{digits}f}" if abs(x) < WIDE else f"{x:.3g}").replace("-", MINUS)


def percent(x: float | None) -> str:
    """`99.6 %`, of a share; whole ones from three digits on."""
    if x is None:
        return NOTHING
    return f"{100 * x:.0f} %" if x in (0, 1) or abs(x) >= 9.995 else f"{100 * x:.1f} %".replace("-", MINUS)


def interval(found: Found | None, digits: int = 2) -> str:
    """`[−7.41, −7.37]`; nothing where there is none."""
    if found is None or found.low is None or found.high is None:
        return ""
    return f"[{number(found.low, digits)}, {number(found.high, digits)}]"


def estimate(found: Found | None, digits: int = 2) -> str:
    """`−7.39 [−7.41, −7.37]`."""
    return f"{number(mean(found), digits)} {interval(found, digits)}".rstrip()


def whole(found: Found) -> bool:
    """Whether it is of whole numbers alone."""
    known = [found.mean, found.low, found.high, *found.of_each_seed]
    return all(float(x).is_integer() for x in known if x is not None)


def each(found: Found | None, digits: int = 2) -> str:
    """Of each seed."""
    return ", ".join(number(x, digits) for x in found.of_each_seed) if found else ""


def counted(x: float | None, what: str) -> str:
    """`1 message`, `25 messages`."""
    return f"{number(x, 0)} {what}{'' if x == 1 else 's'}"


def million(steps: float) -> str:
    """`5.1 M`."""
    return f"{steps / 1e6:.3g} M" if steps >= 1e5 else f"{steps:,.0f}"


def duration(seconds: float) -> str:
    """`19 min`."""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
