"""An evaluation as a table for the terminal."""

from __future__ import annotations

from typing import Any

LINES = {
    "return": "return, greedy",
    "return_sampled": "return, sampled",
    "return_mpe2": "return in the real mpe2, greedy",
    "return_muted": "return, messages muted",
    "return_shuffled": "return, messages shuffled",
    "success": "success",
    "final_distance": "mean final distance",
    "score": "score (0 silent optimum, 1 oracle)",
    "message_information": "I(message; goal), nats",
    "message_entropy": "message entropy, nats",
}


def evaluation_table(evaluation: dict[str, Any]) -> str:
    """One line per measure: mean and 95 % interval; returns are undiscounted, mean over agents."""
    lines = [f"{'':36}{'mean':>9}   95 % interval over {evaluation['interval_over']}"]
    lines += [f"{label:36}{_estimate(evaluation[key])}" for key, label in LINES.items()]
    for name, baseline in evaluation["baselines"].items():
        lines.append(f"{'return of the scripted ' + name + ' team':36}{_estimate(baseline['return'])}")
    if evaluation["protocol_fraction"] is not None:
        lines.append(f"{'seeds that formed a protocol':36}{evaluation['protocol_fraction']:9.0%}")
    return "\n".join(lines)


def _estimate(value: dict[str, float | None]) -> str:
    if value["mean"] is None:
        return f"{'-':>9}"
    if value["low"] is None:
        return f"{value['mean']:9.3f}"
    return f"{value['mean']:9.3f}   [{value['low']:.3f}, {value['high']:.3f}]"
