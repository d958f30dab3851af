"""What a trained team is worth, whether it talks, and whether anyone listens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Algorithm, View
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.baselines import LADDERS, oracle_actor, random_actor
from jaxmarl_comm.evaluation.episodes import CLEAR, MUTED, SHUFFLED, Episodes, hears_words, play, team_actor
from jaxmarl_comm.evaluation.influence import Influence, measure_influence
from jaxmarl_comm.evaluation.messages import message_statistics, message_tables, speakers_of, traffic
from jaxmarl_comm.evaluation.mpe2 import returns_in_mpe2
from jaxmarl_comm.evaluation.robustness import returns_with
from jaxmarl_comm.evaluation.stats import estimate, over_seeds

Array = jax.Array
Evaluation = dict[str, Any]

INFLUENCE_EPISODES = 1_000
ROBUSTNESS_EPISODES = 4_000
LISTENING = ("positive_listening_muted", "positive_listening_shuffled", "causal_influence")
FORMED_SCORE = 0.5  # a team that stands halfway from silent to oracle must have told something


def evaluate_teams(
    cfg: Config, env: Env, algorithm: Algorithm, teams: Any, tell: Callable[[str], None] = print
) -> Evaluation:
    """Evaluate the teams of all seeds (a leading axis on every parameter) on the same episodes.

    Returns estimates (`mean`, `low`, `high` of a 95 % interval) of: return, return_sampled, return_muted,
    return_shuffled, return_mpe2, success, final_distance, score; what `evaluate_communication` says; scripted teams'
    returns under `baselines`; the fraction of seeds that formed a protocol. All but return_sampled act greedily.
    """
    batch, key = Batch(env, cfg.eval_episodes), jax.random.fold_in(jax.random.key(cfg.seed), 1)
    tell(f"evaluating on {cfg.eval_episodes:,} episodes: greedy, sampled, muted, shuffled")
    runs = play_all(cfg, batch, algorithm, teams, key)
    greedy = runs["greedy"]
    score = LADDERS[env.name].score(greedy.returns) if env.name in LADDERS else np.full_like(greedy.returns, np.nan)
    return {
        "return": over_seeds(greedy.returns),
        "return_sampled": over_seeds(runs["sampled"].returns),
        "return_muted": over_seeds(runs["muted"].returns),
        "return_shuffled": over_seeds(runs["shuffled"].returns),
        "return_mpe2": over_seeds(play_mpe2(cfg, env, algorithm, teams, tell)),
        "success": over_seeds(greedy.success),
        "final_distance": over_seeds(greedy.distance),
        "score": over_seeds(score),
        **evaluate_communication(cfg, env, algorithm, teams, greedy, tell),
        "protocol_fraction": float(np.mean(score.mean(axis=1) > FORMED_SCORE)) if env.num_goals else None,
        "return_of_each_seed": greedy.returns.mean(axis=1).tolist(),
        "baselines": play_baselines(batch, key),
        "interval_over": "seeds" if len(greedy.returns) > 1 else "episodes",
        "episodes": cfg.eval_episodes,
        "episodes_mpe2": cfg.eval_episodes_mpe2,
    }


def evaluate_communication(
    cfg: Config, env: Env, algorithm: Algorithm, teams: Any, greedy: Episodes, tell: Callable[[str], None]
) -> Evaluation:
    """What is said in greedy episodes, what it costs, whether anyone listens, and what is left of it on a bad channel.

    Estimates over seeds, with `mean` None where undefined, of:

    - message_entropy, message_information, context_independence, speaker_consistency, instantaneous_coordination,
      message_rms: see `message_statistics`.
    - messages_per_episode, bits_per_episode: of each agent that can send.
    - positive_listening_muted, positive_listening_shuffled, causal_influence: see `Influence`.
    - return_with_noise, return_with_loss: dictionaries from the value to an estimate; empty without a channel.

    And message_table, of the first seed: see `message_tables`.
    """
    found: Evaluation = {name: estimate(x) for name, x in message_statistics(cfg, env, greedy).items()}
    messages, bits = traffic(cfg, env, greedy)
    found |= {"messages_per_episode": over_seeds(messages), "bits_per_episode": over_seeds(bits)}

    def batch_and_key(most: int, stream: int) -> tuple[Batch, Array]:
        return Batch(env, min(most, cfg.eval_episodes)), jax.random.fold_in(jax.random.key(cfg.seed), stream)

    influence = Influence(None, None, None)
    if speakers_of(cfg, env):
        batch, key = batch_and_key(INFLUENCE_EPISODES, 3)
        tell(f"replacing what is heard, in {batch.num_envs:,} episodes")
        influence = measure_influence(cfg, batch, algorithm, teams, key)
    for name, values in zip(LISTENING, influence, strict=True):
        found[name] = estimate(np.zeros(0) if values is None else values)

    returns: dict[str, dict[str, np.ndarray]] = {"noise": {}, "loss": {}}
    if cfg.comm.rounds:
        batch, key = batch_and_key(ROBUSTNESS_EPISODES, 4)
        tell(f"adding noise and loss to messages, in {batch.num_envs:,} episodes")
        returns = returns_with(cfg, batch, teams, key)
    for name, of_values in returns.items():
        found[f"return_with_{name}"] = {value: over_seeds(x) for value, x in of_values.items()}
    return {**found, "message_table": message_tables(cfg, env, greedy)}


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
