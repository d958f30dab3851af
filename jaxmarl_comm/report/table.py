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
    "context_independence": "context independence",
    "speaker_consistency": "I(message; own action), nats",
    "instantaneous_coordination": "I(message; other's next action)",
    "message_rms": "size of a message's numbers (rms)",
    "messages_per_episode": "messages per episode and speaker",
    "bits_per_episode": "bits per episode and speaker",
    "positive_listening_muted": "positive listening, muted, nats",
    "positive_listening_shuffled": "positive listening, shuffled, nats",
    "causal_influence": "causal influence of messages, nats",
}
CURVES = {
    "return_with_noise": "return with noise",
    "return_with_loss": "return with loss",
}


def evaluation_table(evaluation: dict[str, Any]) -> str:
    """One line per measure that is defined: mean and 95 % interval; returns are undiscounted, mean over agents."""
    lines = [f"{'':36}{'mean':>9}   95 % interval over {evaluation['interval_over']}"]
    known = {key: label for key, label in LINES.items() if evaluation[key]["mean"] is not None}
    lines += [f"{label:36}{_estimate(evaluation[key])}" for key, label in known.items()]
    lines += [_curve(label, evaluation[key]) for key, label in CURVES.items() if evaluation[key]]
    for name, baseline in evaluation["baselines"].items():
        lines.append(f"{'return of the scripted ' + name + ' team':36}{_estimate(baseline['return'])}")
    if evaluation["protocol_fraction"] is not None:
        lines.append(f"{'seeds that formed a protocol':36}{evaluation['protocol_fraction']:9.0%}")
    return "\n".join(lines)


def _estimate(value: dict[str, float | None]) -> str:
    if value["low"] is None:
        return f"{value['mean']:9.3f}"
    return f"{value['mean']:9.3f}   [{value['low']:.3f}, {value['high']:.3f}]"


def _curve(label: str, values: dict[str, dict[str, float | None]]) -> str:
    """The means alone: `return with loss 0.25, 0.5    -8.120, -9.310`."""
    means = ", ".join(f"{value['mean']:.3f}" for value in values.values())
    return f"{label + ' ' + ', '.join(values):36}  {means}"
