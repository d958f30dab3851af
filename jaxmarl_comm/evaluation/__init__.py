"""What a trained team is worth, whether it talks, and whether anyone listens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Act, Algorithm, View
from jaxmarl_comm.comm.channel import Intervention, unchanged
from jaxmarl_comm.comm.metrics import entropy, histogram_entropy, mutual_information, probe_information
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.baselines import LADDERS, oracle_actor, random_actor
from jaxmarl_comm.evaluation.episodes import CLEAR, MUTED, SHUFFLED, Actor, Episodes, play
from jaxmarl_comm.evaluation.mpe2 import returns_in_mpe2
from jaxmarl_comm.evaluation.stats import estimate, over_seeds

Array = jax.Array
Evaluation = dict[str, Any]

FORMED_SCORE = 0.5  # a team that stands halfway from silent to oracle must have told something


def evaluate_teams(
    cfg: Config, env: Env, algorithm: Algorithm, teams: Any, tell: Callable[[str], None] = print
) -> Evaluation:
    """Evaluate the teams of all seeds (a leading axis on every parameter) on the same episodes.

    Returns estimates (`mean`, `low`, `high` of a 95 % interval) of: return, return_sampled, return_muted,
    return_shuffled, return_mpe2, success, final_distance, score, message_information, message_entropy; scripted teams'
    returns under `baselines`; the fraction of seeds that formed a protocol. All but return_sampled act greedily.
    """
    batch, key = Batch(env, cfg.eval_episodes), jax.random.fold_in(jax.random.key(cfg.seed), 1)
    tell(f"evaluating on {cfg.eval_episodes:,} episodes: greedy, sampled, muted, shuffled")
    runs = play_all(cfg, batch, algorithm, teams, key)
    greedy = runs["greedy"]
    score = LADDERS[env.name].score(greedy.returns) if env.name in LADDERS else np.full_like(greedy.returns, np.nan)
    information, uncertainty = message_statistics(cfg, env, greedy)
    return {
        "return": over_seeds(greedy.returns),
        "return_sampled": over_seeds(runs["sampled"].returns),
        "return_muted": over_seeds(runs["muted"].returns),
        "return_shuffled": over_seeds(runs["shuffled"].returns),
        "return_mpe2": over_seeds(play_mpe2(cfg, env, algorithm, teams, tell)),
        "success": over_seeds(greedy.success),
        "final_distance": over_seeds(greedy.distance),
        "score": over_seeds(score),
        "message_information": estimate(information),
        "message_entropy": estimate(uncertainty),
        "protocol_fraction": float(np.mean(score.mean(axis=1) > FORMED_SCORE)) if env.num_goals else None,
        "return_of_each_seed": greedy.returns.mean(axis=1).tolist(),
        "baselines": play_baselines(batch, key),
        "interval_over": "seeds" if len(greedy.returns) > 1 else "episodes",
        "episodes": cfg.eval_episodes,
        "episodes_mpe2": cfg.eval_episodes_mpe2,
    }


def quick_evaluator(cfg: Config, env: Env, algorithm: Algorithm) -> Callable[[Any], dict[str, Array]]:
    """A function from the teams of all seeds to their greedy return and success, `[seeds]` each."""
    batch, key = Batch(env, cfg.eval_episodes), jax.random.fold_in(jax.random.key(cfg.seed), 2)

    def of_seed(team: Any) -> dict[str, Array]:
        actor = team_actor(batch, algorithm, team, jnp.array(True))
        episodes = play(batch, actor, key, treatment=jnp.array(CLEAR), hears_words=hears_words(cfg))
        return {"eval_return": episodes.returns.mean(), "eval_success": episodes.success.mean()}

    return jax.jit(lambda teams: jax.lax.map(of_seed, teams))


def play_all(cfg: Config, batch: Batch, algorithm: Algorithm, teams: Any, key: Array) -> dict[str, Episodes]:
    """The same episodes four times over, for each seed's policy: arrays are `[seeds, ...]`."""

    @jax.jit
    def run(greedy: Array, treatment: Array) -> Episodes:
        def of_seed(team: Any) -> Episodes:
            actor = team_actor(batch, algorithm, team, greedy)
            return play(batch, actor, key, treatment=treatment, hears_words=hears_words(cfg))

        return jax.lax.map(of_seed, teams)

    cases = {
        "greedy": (True, CLEAR),
        "sampled": (False, CLEAR),
        "muted": (True, MUTED),
        "shuffled": (True, SHUFFLED),
    }
    return {name: jax.device_get(run(jnp.array(greedy), jnp.array(how))) for name, (greedy, how) in cases.items()}


def hears_words(cfg: Config) -> bool:
    """Whether the messages of this team are the task's own words, and not what goes over the channel."""
    return cfg.comm.rounds == 0 and cfg.comm.speech != "none"


def team_actor(batch: Batch, algorithm: Algorithm, team: Any, greedy: Array) -> Actor:
    """A learned team."""

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        return algorithm.act(team, key, algorithm.view(batch, state, obs, memory), greedy, intervene)

    return Actor(act, algorithm.memory)


def play_baselines(batch: Batch, key: Array) -> dict[str, Any]:
    """Returns of scripted teams on the episodes that `key` gives."""
    scores = {}
    for name, make_actor in {"random": random_actor, "oracle": oracle_actor}.items():
        actor = make_actor(batch.env)
        if actor is not None:
            run = jax.jit(partial(play, batch, actor, treatment=jnp.array(CLEAR), hears_words=False))
            episodes = run(key)
            scores[name] = {
                "return": estimate(episodes.returns),
                "success": float(episodes.success.mean()),
            }
    return scores


def play_mpe2(cfg: Config, env: Env, algorithm: Algorithm, teams: Any, tell: Callable[[str], None]) -> np.ndarray:
    """`[seeds, episodes]` greedy returns in the real mpe2; no episodes if none were asked for."""
    num_seeds = jax.tree.leaves(teams)[0].shape[0]
    if not cfg.eval_episodes_mpe2:
        return np.zeros((num_seeds, 0))
    tell(f"evaluating in the real mpe2 on {cfg.eval_episodes_mpe2:,} episodes of each seed")

    @jax.jit
    def act(team: Any, key: Array, view: View) -> tuple[dict[str, Array], Any]:
        done = algorithm.act(team, key, view, jnp.array(True), unchanged)
        return done.actions, done.memory

    returns = []
    for k in range(num_seeds):
        team = jax.tree.map(lambda x, k=k: x[k], teams)
        returns.append(returns_in_mpe2(env, partial(act, team), algorithm.memory, cfg.eval_episodes_mpe2, cfg.seed))
    return np.stack(returns)


def message_statistics(cfg: Config, env: Env, episodes: Episodes) -> tuple[np.ndarray, np.ndarray]:
    """(I(message; private goal), entropy of messages) in nats, `[seeds]` each: means over the agents with a goal.

    Empty where nothing is sent or nobody has a goal to tell.
    """
    words = hears_words(cfg) and not env.continuous_actions
    tellers = [n for n in range(env.num_agents) if (episodes.goals[..., n] >= 0).all()]
    if episodes.messages.shape[-1] == 0 or not tellers:
        return np.zeros(0), np.zeros(0)

    def of(messages: np.ndarray, goals: np.ndarray) -> tuple[float, float]:
        if words:
            spoken = messages.argmax(axis=-1)
            return mutual_information(spoken, goals), entropy(spoken)
        return probe_information(messages, goals, env.num_goals), histogram_entropy(messages)

    pairs = zip(episodes.messages, episodes.goals, strict=True)
    table = np.array([[of(m[:, n], g[:, n]) for n in tellers] for m, g in pairs])
    return table[..., 0].mean(axis=1), table[..., 1].mean(axis=1)
