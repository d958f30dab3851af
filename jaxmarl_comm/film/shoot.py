"""A few episodes of a team, chosen by how they went, each as it is and with messages muted or shuffled."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.scene import ALPHABET
from jaxmarl_comm.evaluation.episodes import Episodes, doers, hears_words
from jaxmarl_comm.evaluation.messages import speakers_of
from jaxmarl_comm.evaluation.plays import evaluation_key, player
from jaxmarl_comm.files import RunError
from jaxmarl_comm.film.hearing import hears, hears_at
from jaxmarl_comm.trees import unstack

AS_IT_IS = "as it is"
TAKES = {AS_IT_IS: "greedy", "muted": "muted", "shuffled": "shuffled"}  # name -> one of evaluation's TREATMENTS
PLACE_DIGITS, NUMBER_DIGITS = 3, 2
NUMBERS_SHOWN = 16  # of a message

Film = dict[str, Any]


def shoot(cfg: Config, env: Env, algorithm: Algorithm, team: Any, episodes: int) -> Film:
    """The best, the median and the worst of so many greedy episodes, by the first team's return, as JSON.

    Each has a *take* for each of TAKES, from the same start (one alone where nobody can talk): its returns, places
    of all bodies and every message, by steps. hears: [listener, speaker] for all who can reach one another, which a
    take says by steps where it depends on places. Raises RunError if the task has nothing to be seen.
    """
    if not env.scene:
        raise RunError(f"{env.name} has no places, so that there is nothing to be seen of it")
    speakers, movers = speakers_of(cfg, env), doers(env)
    play_seeds = player(cfg, Batch(env, episodes), algorithm, evaluation_key(cfg), stream=True, sight=True)
    alone = jax.tree.map(lambda x: x[None], team)
    names = TAKES if speakers else {AS_IT_IS: TAKES[AS_IT_IS]}
    takes = {name: unstack(play_seeds(alone, treatment))[0] for name, treatment in names.items()}
    clear = takes[AS_IT_IS]
    return {
        "scene": [shape._asdict() for shape in env.scene],
        "agents": list(env.agents),
        "teams": list(env.team_names),
        "team_of": list(env.teams),
        "speakers": speakers,
        "hears": hears(cfg, env),
        "numbers": NUMBERS_SHOWN,
        "of": episodes,
        "episodes": [
            {
                "name": name,
                "targets": [
                    rounded(place if n in movers else place * np.nan, PLACE_DIGITS)
                    for n, place in enumerate(clear.sight.destinations[k])
                ],
                "takes": [
                    take(speakers, says_words(cfg, env), played, k)
                    | {"name": treatment, "hears": hears_at(cfg, env, played.sight.places[k])}
                    for treatment, played in takes.items()
                ],
            }
            for name, k in chosen(clear.returns[:, 0]).items()
        ],
    }


def chosen(returns: np.ndarray) -> dict[str, int]:
    """Name -> index among the episodes' returns `[E]`; the lower of two medians. NaN of a diverged team is worst."""
    order = np.argsort(np.nan_to_num(returns, nan=-np.inf), stable=True)
    return {"best": int(order[-1]), "median": int(order[(len(order) - 1) // 2]), "worst": int(order[0])}


def take(speakers: list[int], words: bool, played: Episodes, k: int) -> dict[str, Any]:
    """One episode: places by steps, from the start on, and by steps the message of each speaker, null if none."""
    steps = int(played.sight.steps[k])
    return {
        "returns": rounded(played.returns[k], NUMBER_DIGITS),
        "success": [None if np.isnan(x) else bool(x) for x in played.success[k]],
        "places": [
            [rounded(place, PLACE_DIGITS) for place in places] for places in played.sight.places[k, : steps + 1]
        ],
        "messages": [
            [message(played.stream.messages[k, t, n], played.stream.sent[k, t, n], words) for n in speakers]
            for t in range(steps)
        ],
    }


def says_words(cfg: Config, env: Env) -> bool:
    """Whether a message is one of several words, as a one-hot vector."""
    chosen = not env.continuous_actions or cfg.comm.speech == "differentiable"
    return chosen if hears_words(cfg) else cfg.comm.discretise == "gumbel"


def message(numbers: np.ndarray, sent: bool, word: bool) -> str | list[float | None] | None:
    """A word as its letter (or its number, of many), else the numbers; None if nothing was sent."""
    if not sent:
        return None
    if not word:
        return rounded(numbers, NUMBER_DIGITS)
    return ALPHABET[int(numbers.argmax())] if len(numbers) <= len(ALPHABET) else f"#{int(numbers.argmax())}"


def rounded(numbers: Any, digits: int) -> list[float | None]:
    """Null for what is not finite."""
    return [round(float(x), digits) if np.isfinite(x) else None for x in numbers]
