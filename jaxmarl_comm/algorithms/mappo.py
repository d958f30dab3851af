"""MAPPO and IPPO: PPO for teams, with messages recomputed in the update (Yu et al. 2022, de Witt et al. 2020).

MAPPO's critics see more than their agents do, IPPO's the same: nothing else tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxmarl_comm.algorithms import Algorithm, View
from jaxmarl_comm.algorithms.critics import Moment, TeamCritic
from jaxmarl_comm.algorithms.descent import Descent
from jaxmarl_comm.algorithms.hyperparams import of_config
from jaxmarl_comm.algorithms.learner import Learner
from jaxmarl_comm.algorithms.losses import approx_kl, policy_loss, value_loss
from jaxmarl_comm.algorithms.ppo_state import Batchwise, Hyperparams, Learned, Memories, TrainState
from jaxmarl_comm.algorithms.returns import Estimates, ValueNorm, explained_variance, gae, normalise, share_rewards
from jaxmarl_comm.algorithms.rollout import (
    Moved,
    RolloutState,
    Trajectory,
    finished_mean,
    rollout,
    rollout_axes,
    start,
)
from jaxmarl_comm.algorithms.talk_losses import talk_losses
from jaxmarl_comm.algorithms.team import Team
from jaxmarl_comm.algorithms.turns import Turns, of_each_team
from jaxmarl_comm.comm.channel import Circumstances, Numbers
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.trees import environments_first, steps_first, where_each

if TYPE_CHECKING:
    from jaxmarl_comm.ppo_config import PPOConfig

Array = jax.Array

VALUE_NORM_DECAY = 0.99  # per iteration
SHOWN = ("return", "entropy", "approx_kl", "value_loss")
MAX_LOG_RATIO = 20.0  # of probabilities: a ratio beyond e^20 is as hopeless, and must not be infinite


def make_mappo(cfg: PPOConfig, env: Env) -> Algorithm:
    """MAPPO with the config's channel on this environment."""
    learner = Mappo(cfg, env)
    axes = TrainState(0, 0, 0, 0, rollout_axes(learner.batch), 0, 0, 0)  # type: ignore[arg-type]
    return learner.algorithm(axes, ("params", "opt_state", "value_norm", "past", "hparams"), SHOWN)


class Mappo(Learner["PPOConfig"]):
    """The pure functions of MAPPO."""

    def __init__(self, cfg: PPOConfig, env: Env) -> None:
        super().__init__(cfg, env)
        self.critic = TeamCritic(cfg, env)
        self.descent = Descent(env, cfg.max_grad_norm, cfg.target_kl)
        self.turns = Turns(cfg, env)

    def init(self, key: Array) -> TrainState:
        policy_key, critic_key, env_key, key = jax.random.split(key, 4)
        rollout_state = start(self.batch, self.memory(), env_key)
        params = Learned(
            self.actor.init(policy_key, rollout_state.obs),
            self.critic.init(critic_key, rollout_state.obs, self.notes(rollout_state)),
        )
        return TrainState(
            params=params,
            opt_state=Learned(*map(self.descent.start, params)),
            value_norm=ValueNorm.start(self.env.num_agents),
            past=self.turns.start(params.policy),
            rollout=rollout_state,
            hparams=of_config(Hyperparams, self.cfg),
            iteration=jnp.zeros((), jnp.int32),
            key=key,
        )

    def memory(self) -> Memories:
        """At the start of an episode."""
        return Memories(self.actor.memory(self.cfg.num_envs), self.critic.memory(self.cfg.num_envs))

    def update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """One iteration, in which all teams learn, or those whose turn it is."""
        if not self.turns.needed:
            return self.learn(state)
        key, turn_key = jax.random.split(state.key)
        past = self.turns.remember(state.past, state.params.policy, state.iteration)
        cast = self.turns.cast(past, state.params.policy, state.iteration, turn_key)
        after, metrics = self.learn(state._replace(key=key, params=state.params._replace(policy=cast.policy)))
        return self.of_learners(cast.learns, after, state)._replace(past=past), metrics

    def of_learners(self, learns: Array, after: TrainState, before: TrainState) -> TrainState:
        """The state afterwards, but for what the teams have learned that should not: that is as it was before."""
        params = (self.turns.chosen(learns, *each) for each in zip(after.params, before.params, strict=True))
        opt_state = (of_each_team(learns, *each) for each in zip(after.opt_state, before.opt_state, strict=True))
        of_agents = learns[np.array(self.env.teams)]
        value_norm = where_each(of_agents, after.value_norm, before.value_norm)
        return after._replace(params=Learned(*params), opt_state=Learned(*opt_state), value_norm=value_norm)

    def learn(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """A rollout, advantages, and `ppo_epochs` passes over it in minibatches, for all teams."""
        key, rollout_key, update_key, value_key = jax.random.split(state.key, 4)
        rollout_state, traj = self.play(state, rollout_key)
        data, value_norm, estimates = self.prepare(state, traj, rollout_state, value_key)
        (params, opt_state), losses = self.optimise(state, data, update_key)
        metrics = self.of_teams(
            {
                "return": finished_mean(traj),
                "value_mean": self.per_team(estimates.returns),
                "lr": self.present(state).lr,
                "explained_variance": self.env.team_means(explained_variance(estimates)),
            }
        )
        if self.env.ends_early:
            metrics["truncated_share"] = jnp.sum(traj.truncated) / jnp.sum(traj.truncated | traj.terminated)
        metrics |= losses | {"param_norm": optax.tree.norm(params)}
        if self.cfg.log_agent_metrics:
            metrics |= self.of_agents({"reward": traj.rewards})
        after = state._replace(
            params=params,
            opt_state=opt_state,
            value_norm=value_norm,
            rollout=rollout_state,
            iteration=state.iteration + 1,
            key=key,
        )
        return after, metrics

    def play(self, state: TrainState, key: Array) -> tuple[RolloutState, Trajectory]:
        """A rollout. The key is consumed."""
        team = self.team(state)

        def act(key: Array, now: RolloutState) -> Moved:
            moved, decision = self.actor.explore(team, key, self.view(now), now.env, self.batch)
            notes = self.notes(now)
            moment = Moment(now.obs, notes, moved.actions, decision.talk.heard)
            _, critics = self.critic.step(state.params.critic, moment, now.memory.critics)
            return moved._replace(memory=Memories(moved.memory, critics), circumstances=moved.circumstances | notes)

        def value(key: Array, now: RolloutState) -> Array:
            return self.values(state, key, now)

        return rollout(self.batch, act, value, key, state.rollout, self.memory(), self.cfg.rollout_len)

    def view(self, now: RolloutState) -> View:
        """What the team goes by."""
        return self.actor.view(self.batch, now.env, now.obs, now.memory.team)

    def notes(self, now: RolloutState) -> Circumstances:
        """What critics will want to know of this moment, beside what agents see."""
        return self.critic.notes(self.batch, now.env, now.memory.team.channel.clock)

    def values(self, state: TrainState, key: Array, now: RolloutState) -> Array:
        """`[E, N]` in units of the reward, of what the team would do now where critics ask for that. Key consumed."""
        heard, actions = None, self.critic.nothing_done(self.cfg.num_envs)
        if self.critic.listens:
            heard = self.actor.listen(self.team(state), key, self.view(now))
        if self.critic.sees == "joint_actions":
            key = jax.random.fold_in(key, 1)
            actions = self.actor.explore(self.team(state), key, self.view(now), now.env, self.batch)[0].actions
        moment = Moment(now.obs, self.notes(now), actions, heard)
        values, _ = self.critic.step(state.params.critic, moment, now.memory.critics)
        return state.value_norm.denormalise(values)

    def prepare(
        self, state: TrainState, traj: Trajectory, last: RolloutState, key: Array
    ) -> tuple[Batchwise, ValueNorm, Estimates]:
        """Advantages and normalised targets, environments first; the new scale of returns; what they are made of.

        The key is consumed.
        """
        recorded = Moment(traj.obs, traj.circumstances, traj.actions, self.heard_along(state, traj))
        outputs = self.critic.along(state.params.critic, recorded, state.rollout.memory.critics)
        values = state.value_norm.denormalise(outputs)
        last_values = self.values(state, key, last)
        over = (traj.terminated | traj.truncated)[..., None]
        next_values = jnp.where(over, traj.at_end, jnp.concatenate([values[1:], last_values[None]]))
        rewards = share_rewards(traj.rewards, self.env.teams, self.sharing)
        terminated = traj.terminated[..., None] if self.cfg.bootstrap_truncated else over
        advantages = gae(rewards, values, next_values, terminated, over, state.hparams.gamma, state.hparams.gae_lambda)
        returns = advantages + values
        value_norm = state.value_norm.update(returns, VALUE_NORM_DECAY) if self.cfg.value_norm else state.value_norm
        by_time = {
            "obs": traj.obs,
            "actions": traj.actions,
            "log_probs": traj.log_probs,
            "advantages": normalise(self.cfg.advantage_norm, self.env, advantages),
            "old_values": outputs,
            "targets": value_norm.normalise(returns),
            "circumstances": traj.circumstances,
        }
        data = Batchwise(**environments_first(by_time), memory=state.rollout.memory)
        return data, value_norm, Estimates(values, returns)

    def heard_along(self, state: TrainState, traj: Trajectory) -> Array | None:
        """`[T, E, N, H]`: what agents heard in the rollout, for a critic that listens."""
        if not self.critic.listens:
            return None
        obs, circumstances = environments_first((traj.obs, traj.circumstances))
        decision = self.actor.replay(self.team(state), obs, circumstances, state.rollout.memory.team)
        return steps_first(decision.talk.heard)

    def optimise(
        self, state: TrainState, data: Batchwise, key: Array
    ) -> tuple[tuple[Learned, Learned], dict[str, Array]]:
        """`ppo_epochs` × `num_minibatches` steps; metrics are means over them."""
        cfg, numbers, hparams = self.cfg, self.team(state).numbers, self.present(state)

        def step(carry: Any, rows: Array) -> tuple[Any, dict[str, Array]]:
            params, opt_state, stopped = carry
            grads, metrics = self.gradient(params, jax.tree.map(lambda x: x[rows], data), hparams, numbers)
            stopped, told = self.descent.whether_to_stop(stopped, metrics)
            rates = Learned(hparams.lr, hparams.critic_lr)
            stepped = [self.descent.step(*each, stopped) for each in zip(grads, opt_state, params, rates, strict=True)]
            told |= {f"{part}_grad_norm": self.descent.norms(x) for part, x in grads._asdict().items()}
            moved = Learned(*(p for p, _ in stepped)), Learned(*(o for _, o in stepped))
            return (*moved, stopped), metrics | self.of_teams(told)

        def epoch(carry: Any, epoch_key: Array) -> tuple[Any, dict[str, Array]]:
            rows = jax.random.permutation(epoch_key, cfg.num_envs).reshape(cfg.num_minibatches, -1)
            return jax.lax.scan(step, carry, rows)

        start = (state.params, state.opt_state, jnp.zeros(len(self.env.team_names), bool))
        (params, opt_state, _), metrics = jax.lax.scan(epoch, start, jax.random.split(key, cfg.ppo_epochs))
        return (params, opt_state), jax.tree.map(jnp.mean, metrics)

    def gradient(
        self, params: Learned, minibatch: Batchwise, hparams: Hyperparams, numbers: Numbers
    ) -> tuple[Learned, dict[str, Array]]:
        """(gradients of the loss, metrics) of a minibatch: the means of those of its parts, taken one by one."""
        if self.cfg.advantage_norm == "minibatch":
            minibatch = minibatch._replace(advantages=normalise("group", self.env, minibatch.advantages))
        count, of_part = self.cfg.grad_accumulation, jax.grad(self.loss, has_aux=True)
        if count == 1:
            return of_part(params, minibatch, hparams, numbers)
        parts = jax.tree.map(lambda x: x.reshape(count, len(x) // count, *x.shape[1:]), minibatch)
        of_parts = jax.lax.map(lambda part: of_part(params, part, hparams, numbers), parts)
        return jax.tree.map(lambda x: x.mean(axis=0), of_parts)

    def loss(
        self, params: Learned, data: Batchwise, hparams: Hyperparams, numbers: Numbers
    ) -> tuple[Array, dict[str, Array]]:
        """The sum of the policies', the critics' and the channel's losses of all teams: one gradient serves them all.

        Each is a mean over a team's agents, and moves the parameters of that team alone.
        """
        team, groups, spaces = Team(params.policy, numbers), self.env.groups, self.env.action_spaces
        decision = self.actor.replay(team, data.obs, data.circumstances, data.memory.team)
        distributions = decision.distributions
        log_probs = self.env.join({g: distributions[g].log_prob(spaces[g].split(data.actions[g])) for g in groups})
        recorded = Moment(data.obs, data.circumstances, data.actions, decision.talk.heard)
        values = self.critic.replay(params.critic, recorded, data.memory.critics)
        chex.assert_equal_shape([log_probs, values, data.log_probs, data.advantages, data.targets])
        log_ratio = jnp.clip(log_probs - data.log_probs, -MAX_LOG_RATIO, MAX_LOG_RATIO)
        ratio = jnp.exp(log_ratio)
        clip_values = hparams.clip_eps if self.cfg.clip_values else None
        measures = {
            "policy_loss": policy_loss(ratio, data.advantages, hparams.clip_eps),
            "value_loss": value_loss(values, data.old_values, data.targets, clip_values, self.cfg.huber_delta),
            "entropy": self.env.join({g: distributions[g].entropy() for g in groups}),
            "approx_kl": approx_kl(log_ratio),
            "clip_fraction": jnp.abs(ratio - 1) > hparams.clip_eps,
        }
        found = {name: self.per_team(x) for name, x in measures.items()}
        muted = None
        if self.cfg.comm.listening_coef:
            muted = self.actor.replay(team, data.obs, data.circumstances, data.memory.team, mute=True)
        channel_loss, of_channel = talk_losses(self.actor, numbers, decision, muted)
        losses = found["policy_loss"] - hparams.ent_coef * found["entropy"] + hparams.vf_coef * found["value_loss"]
        told = self.of_teams(found | of_channel) | (self.of_agents(measures) if self.cfg.log_agent_metrics else {})
        return (losses + channel_loss).sum(), told

    def of_agents(self, measures: Mapping[str, Array]) -> dict[str, Array]:
        """Measure -> `[..., N]` as name -> `[]`, `entropy/agent_0`: the mean over all but agents."""
        means = {key: x.mean(axis=tuple(range(x.ndim - 1))) for key, x in measures.items()}
        return {f"{key}/{agent}": of[k] for key, of in means.items() for k, agent in enumerate(self.env.agents)}
