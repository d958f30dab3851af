"""An evaluation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jaxmarl_comm.envs.base import per_team

OF_TEAMS = {
    "return": "return, greedy",
    "return_sampled": "return, sampled",
    "return_reference": "return in the reference implementation, greedy",
    "return_muted": "return, messages muted",
    "return_shuffled": "return, messages shuffled",
    "value_of_talk": "value of talk (return minus a trained silent team's)",
    "success": "success",
    "value_of_talk_success": "value of talk, in success",
}
OF_ALL = {
    "final_distance": "mean final distance",
    "score": "score (0 silent optimum, 1 oracle)",
    "message_information": "I(message; goal), nats",
    "message_information_with_key": "I(message; goal | key), nats",
    "message_information_by_step": "I(message; goal | step), nats",
    "message_entropy": "message entropy, nats",
    "context_independence": "context independence",
    "speaker_consistency": "I(message; own action), nats",
    "instantaneous_coordination": "I(message; other's next action), nats",
    "message_rms": "size of a message's numbers (rms)",
    "messages_per_episode": "messages per episode and speaker",
    "bits_per_episode": "bits per episode and speaker",
    "listening_tv_muted": "muting moves actions by (total variation)",
    "listening_tv_shuffled": "shuffling moves actions by (total variation)",
    "listening_js_muted": "the same, muted (Jensen-Shannon, nats)",
    "listening_js_shuffled": "the same, shuffled (Jensen-Shannon, nats)",
    "listening_changed_muted": "greedy actions that muting changes",
    "listening_changed_shuffled": "greedy actions that shuffling changes",
    "causal_influence": "causal influence of messages, nats",
}
CURVES = {
    "return_with_noise": "return with noise",
    "return_with_loss": "return with loss",
}
WIDTH = 54
NO_CONTROL = (
    "A drop when muted is not the value of talk, as this team never learned to do without: compare it with a trained\n"
    "silent team, by training with --control, or by evaluate.py --control DIR."
)


def evaluation_table(evaluation: dict[str, Any]) -> str:
    """One line per measure that is defined, then what follows from them in words.

    Mean, 95 % interval, and the untrained team's mean; returns are undiscounted, mean over a team's agents.
    """
    over = f"95 % interval over {evaluation['interval_over']}"
    lines = [f"{'':{WIDTH}}{'mean':>9}   {over:26}{'untrained':>9}"]
    before = evaluation["untrained"]
    for name, label in labels(evaluation["teams"], evaluation["measured"]).items():
        if name in evaluation and evaluation[name] and evaluation[name]["mean"] is not None:
            basis = _own_basis(evaluation) if name.startswith("value_of_talk") else ""
            lines.append(_line(label, evaluation[name], before.get(name)) + basis)
    for base, text in CURVES.items():
        for name, label in _of_teams(base, text, evaluation["teams"]):
            lines += [_curve(label, evaluation[name])] if evaluation[name] else []
    lines += _baselines(evaluation)
    if evaluation["protocol_fraction"] is not None:
        low, high = evaluation["protocol_interval"]
        fraction = f"{evaluation['protocol_fraction']:9.0%}   [{low:.0%}, {high:.0%}]"
        lines.append(f"{'seeds that formed a protocol':{WIDTH}}{fraction}")
    lines += _each_seed(evaluation)
    if evaluation["messages_per_episode"]["mean"] is not None and evaluation["control"] is None:
        lines.append(NO_CONTROL)
    return "\n".join([*lines, *(f"warning: {warning}" for warning in evaluation["warnings"])])


def labels(teams: list[str], measured: Sequence[str] = ()) -> dict[str, str]:
    """Key of an evaluation -> what it is, for every line that a table may have; measured: by the task itself."""
    of_teams = [pair for base, label in OF_TEAMS.items() for pair in _of_teams(base, label, teams)]
    return dict(of_teams) | {name: name.replace("_", " ") for name in measured} | OF_ALL


def _of_teams(base: str, label: str, teams: list[str]) -> list[tuple[str, str]]:
    names = per_team(base, teams)
    return list(zip(names, [label] if len(teams) == 1 else [f"{label}: {team}" for team in teams], strict=True))


def _line(label: str, found: dict[str, Any], before: dict[str, Any] | None) -> str:
    low, high = found["low"], found["high"]
    interval = "" if low is None else f"[{low:.3f}, {high:.3f}]"
    untrained = "" if before is None or before["mean"] is None else f"{before['mean']:9.3f}"
    return f"{label:{WIDTH}}{found['mean']:9.3f}   {interval:26}{untrained}".rstrip()


def _own_basis(evaluation: dict[str, Any]) -> str:
    """What a comparison's interval is over, where that is not what the head of the table says."""
    over = evaluation["control"]["interval_over"]
    return "" if over == evaluation["interval_over"] else f" over {over}"


def _curve(label: str, values: dict[str, dict[str, Any]]) -> str:
    """The means alone: `return with loss 0.25, 0.5    -8.120, -9.310`."""
    means = ", ".join("-" if value["mean"] is None else f"{value['mean']:.3f}" for value in values.values())
    return f"{label + ' ' + ', '.join(values):{WIDTH}}  {means}"


def _baselines(evaluation: dict[str, Any]) -> Iterator[str]:
    for scripted, found in evaluation["baselines"].items():
        for name, label in _of_teams("return", f"return of the scripted {scripted} team", evaluation["teams"]):
            yield _line(label, found[name], None)
        for name in evaluation["measured"]:
            yield _line(f"{name.replace('_', ' ')} of the scripted {scripted} team", found[name], None)


def _each_seed(evaluation: dict[str, Any]) -> Iterator[str]:
    for name, label in _of_teams("return", "return of each seed", evaluation["teams"]):
        found = evaluation[name]
        if len(found["of_each_seed"]) > 1:
            yield f"{label:{WIDTH}}  " + ", ".join("-" if x is None else f"{x:.3f}" for x in found["of_each_seed"])
    for name, label in _of_teams("return", "return of the middle half of the seeds", evaluation["teams"]):
        found = evaluation[name]
        if "iqm" in found:
            yield f"{label:{WIDTH}}{found['iqm']:9.3f}   {_bootstrapped(found)}".rstrip()


def _bootstrapped(found: dict[str, Any]) -> str:
    if found["iqm_low"] is None:
        return ""
    return f"[{found['iqm_low']:.3f}, {found['iqm_high']:.3f}] (bootstrap: covers 90 % with five seeds)"
