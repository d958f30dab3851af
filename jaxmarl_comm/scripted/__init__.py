"""Scripted sides, to play against or to compare with. A new one is a function, and one line here."""

from __future__ import annotations

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.scripted import aimless, hunt, places, secrets, treasure
from jaxmarl_comm.scripted.moves import Maker, Moves
from jaxmarl_comm.suggest import did_you_mean, shown

SIDES: dict[str, Maker] = {
    "stay": aimless.stay,
    "random": aimless.random,
    "pursuer": hunt.pursuer,
    "evader": hunt.evader,
    "goal_seekers": places.goal_seekers,
    "deceivers": places.deceivers,
    "place_takers": places.place_takers,
    "carriers": treasure.carriers,
    "one_time_pad": secrets.one_time_pad,
    "told_adversary": places.told_adversary,
    "told_eve": secrets.told_eve,
}

AIMLESS = ("stay", "random")
"""Those that want nothing, so that they play every task."""

TOLD = ("told_adversary", "told_eve")
"""Those that know what their agents cannot: bounds on what others can reach, not opponents of their rank."""


def sides_of(env: Env, team: int) -> dict[str, Moves]:
    """Name -> moves, of all that mean something for this team of this task."""
    made = {name: make(env, team) for name, make in SIDES.items()}
    return {name: moves for name, moves in made.items() if moves is not None}


def make_side(name: str, env: Env, team: int) -> Moves:
    """The moves of this name. Raises ValueError, in one line, if there are none for this team of this task."""
    there = sides_of(env, team)
    if name not in there:
        raise ValueError(
            f"no scripted side {shown(name)} plays {env.team_names[team]} in {env.name}{did_you_mean(name, there)}; "
            f"there are {', '.join(there)}"
        )
    return there[name]
