"""The channel in words."""

from __future__ import annotations

from jaxmarl_comm.comm.config import CommConfig

SPEECH = {
    "none": "nobody can tell anybody anything",
    "reinforced": "the task's own words, chosen as actions, heard a step later",
    "differentiable": "the task's own words, heard a step later, with the gradient of whoever hears them",
}
SENT = {
    "none": "{dim} numbers",
    "binary": "{dim} bits",
    "quantise": "{dim} numbers of {bits} bits",
    "gumbel": "one of {dim} words",
    "dru": "{dim} bits, smooth and noisy in training",
}
GATES = {
    "always": "",
    "learned": ", whenever an agent chooses to send",
    "top_k": ", of the {k} with most to say",
    "every_n": ", at every step in {every}",
}
HEARERS = {
    "team": "the team",
    "all": "everyone",
    "ring": "neighbours on a ring",
    "star": "a hub and back",
    "nearest": "the nearest {k}",
    "radius": "those within {radius:g}",
    "matrix": "those of a matrix",
}
FLAWS = ("noise", "loss", "bit_flip")


def in_words(comm: CommConfig) -> str:
    """What agents tell each other, when, and how it is heard: `commnet: 8 numbers within the step to the team, ...`."""
    if comm.rounds == 0:
        return f"{comm.preset}: {SPEECH[comm.speech]}"
    sent = SENT[comm.discretise].format(dim=comm.message_dim, bits=comm.bits)
    gate = GATES[comm.gate].format(k=comm.gate_k, every=comm.gate_every)
    hearers = HEARERS[comm.route].format(k=comm.route_k, radius=comm.route_radius)
    rounds = f" in {comm.rounds} rounds" if comm.rounds > 1 else ""
    flaws = "".join(f", {name} {value:g}" for name in FLAWS if (value := getattr(comm, name)))
    heard = comm.aggregate.replace("_", " ")
    return f"{comm.preset}: {sent}{gate}, to {hearers} {_when(comm.delay)}{rounds}, heard by {heard}{flaws}"


def _when(delay: int) -> str:
    if delay == 0:
        return "within the step"
    return "a step later" if delay == 1 else f"{delay} steps later"
