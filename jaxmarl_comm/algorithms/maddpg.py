"""MADDPG and MATD3: policies that follow the gradient of critics of actions, learned from replay.

MADDPG is of Lowe et al. 2017. MATD3 (Ackermann et al. 2019) takes twin critics, smoothed targets and delayed policies
from TD3 (Fujimoto et al. 2018): each is a setting, and matd3 is maddpg with other defaults. Messages are sent anew in
each update, so that the listener's critic teaches the speaker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import chex
import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Algorithm, View
from jaxmarl_comm.algorithms.action_values import ActionValues
from jaxmarl_comm.algorithms.descent import Descent
from jaxmarl_comm.algorithms.exploration import Explorer
from jaxmarl_comm.algorithms.hyperparams import of_config
from jaxmarl_comm.algorithms.learner import Learner
from jaxmarl_comm.algorithms.offpolicy_state import Carried, Hyperparams, OffPolicyState, Stepped
from jaxmarl_comm.algorithms.ppo_state import Learned
from jaxmarl_comm.algorithms.replay import (
    Moment,
    Replay,
    Windows,
    episodes,
    shape_of_windows,
    single_steps,
    size_in_bytes,
)
from jaxmarl_comm.algorithms.returns import share_rewards
from jaxmarl_comm.algorithms.rollout import (
    ActFn,
    Moved,
    RolloutState,
    finished_mean,
    rollout,
    rollout_axes,
    start,
)
from jaxmarl_comm.algorithms.talk_losses import talk_losses
from jaxmarl_comm.algorithms.team import Decision, Team
from jaxmarl_comm.comm.channel import Circumstances, unchanged
from jaxmarl_comm.envs.base import Env

if TYPE_CHECKING:
    from jaxmarl_comm.offpolicy_config import OffPolicyConfig

Array = jax.Array

SHOWN = ("return", "value_mean", "critic_loss")


def make_maddpg(cfg: OffPolicyConfig, env: Env) -> Algorithm:
    """MADDPG or MATD3 with the config's channel on this environment."""
    learner = Maddpg(cfg, env)
    # All seeds have done as many iterations: so whether to learn yet is a real branch.
    axes = OffPolicyState(0, 0, 0, 0, rollout_axes(learner.batch), 0, None, 0)  # type: ignore[arg-type]
    return learner.algorithm(axes, ("params", "targets", "opt_state", "hparams"), SHOWN, cfg.sharers)


def kept_bytes(cfg: OffPolicyConfig, env: Env) -> int:
    """Bytes that one seed's replay takes."""
    return size_in_bytes(jax.eval_shape(Maddpg(cfg, env).init, jax.random.key(0)).kept)


class Maddpg(Learner["OffPolicyConfig"]):
    """The pure functions of MADDPG."""

    def __init__(self, cfg: OffPolicyConfig, env: Env) -> None:
        super().__init__(cfg, env)
        self.critic = ActionValues(cfg, env)
        self.explorer, self.replay = Explorer(cfg, self.actor), Replay(cfg.slots, cfg.sharers)
        self.descent = Descent(env, cfg.max_grad_norm, None)
        self.windows = cfg.windows

    def init(self, key: Array) -> OffPolicyState:
        policy_key, critic_key, env_key, key = jax.random.split(key, 4)
        rollout_state, hparams = start(self.batch, self.memory(), env_key), of_config(Hyperparams, self.cfg)
        obs = rollout_state.obs
        params = Learned(self.actor.init(policy_key, obs), self.critic.init(critic_key, obs))
        state = OffPolicyState(
            params=params,
            targets=jax.tree.map(jnp.copy, params),
            opt_state=Learned(*map(self.descent.start, params)),
            kept=None,  # type: ignore[arg-type]
            rollout=rollout_state,
            hparams=hparams,
            iteration=jnp.zeros((), jnp.int32),
            key=key,
        )
        return state._replace(kept=self.replay.start(self.rollouts_shape(state)))

    def memory(self) -> Carried:
        """At the start of an episode."""
        return Carried(self.actor.memory(self.cfg.num_envs), self.explorer.start(self.cfg.num_envs))

    def update(self, state: OffPolicyState) -> tuple[OffPolicyState, dict[str, Array]]:
        """One iteration: a rollout that is kept and, once there has been enough of it, updates from all that is."""
        key, play_key, learn_key = jax.random.split(state.key, 3)
        rollout_state, windows, returns = self.play(state, play_key)
        kept = self.replay.add(state.kept, windows, state.iteration)
        state = state._replace(kept=kept, rollout=rollout_state)
        learning = state.iteration >= self.cfg.learn_from
        learn = jax.jit(self.learn)  # so that it is traced once, for its shapes and for itself
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(learn, state, learn_key)[1])

        def wait(state: OffPolicyState, key: Array) -> tuple[Stepped, dict[str, Array]]:
            return Stepped(state.params, state.targets, state.opt_state), nothing

        stepped, losses = jax.lax.cond(learning, learn, wait, state, learn_key)
        after = state._replace(**stepped._asdict(), iteration=state.iteration + 1, key=key)
        told = {"return": returns, "lr": self.present(state).lr}
        return after, self.of_teams(told) | losses

    def play(self, state: OffPolicyState, key: Array) -> tuple[RolloutState, Windows, Array]:
        """(the state after a rollout, what is to be kept of it, `[teams]` returns). The key is consumed."""
        rollout_key, end_key = jax.random.split(key)
        act, team = self.acting(state), self.team(state)

        def at_end(key: Array, now: RolloutState) -> Moment:
            return self.moment(team, key, now)

        after, traj = rollout(self.batch, act, at_end, rollout_key, state.rollout, self.memory(), self.cfg.rollout_len)
        circumstances, deeds = traj.circumstances
        traj = traj._replace(circumstances=circumstances)
        if self.env.ends_early:
            return after, single_steps(traj, deeds, self.moment(team, end_key, after)), finished_mean(traj)
        return after, episodes(traj, deeds), finished_mean(traj)

    def acting(self, state: OffPolicyState) -> ActFn:
        """How agents act in this state, exploring; circumstances and deeds are what is recorded."""
        team, hparams, blindly = self.team(state), self.present(state), state.iteration < self.cfg.learn_from

        def act(key: Array, now: RolloutState) -> Moved:
            meet_key, explore_key = jax.random.split(key)
            view = self.view(now)
            circumstances = self.chance(team, meet_key, now)
            decision = self.actor.step(team, view, circumstances, unchanged)
            tried = self.explorer.explore(
                explore_key, decision, now.memory.noise, hparams.expl_noise, hparams.relaxation_temperature, blindly
            )
            actions = self.actor.to_actions(tried.chosen, decision)
            after = Carried(self.actor.after(view, circumstances, decision, actions), tried.noise)
            deeds = self.explorer.vectors(tried.vectors, decision) if tried.vectors else actions
            return Moved(actions, None, after, (circumstances, deeds))

        return act

    def rollouts_shape(self, state: OffPolicyState) -> Windows:
        """Of what is kept of a rollout. No step is taken for it, as opponents may not have been loaded."""
        now = state.rollout
        circumstances, deeds = jax.eval_shape(lambda state: self.acting(state)(state.key, now), state).circumstances
        one = now.running_return[:, 0]
        step = Windows(Moment(now.obs, circumstances), deeds, jnp.zeros((*one.shape, self.env.num_agents)), one < 0)
        return shape_of_windows(step, self.cfg.rollout_len, single=self.env.ends_early)

    def view(self, now: RolloutState) -> View:
        """What the team goes by."""
        return self.actor.view(self.batch, now.env, now.obs, now.memory.team)

    def moment(self, team: Team, key: Array, now: RolloutState) -> Moment:
        """What the team would go by if it went on from here. The key is consumed."""
        return Moment(now.obs, self.chance(team, key, now))

    def chance(self, team: Team, key: Array, now: RolloutState) -> Circumstances:
        """What chance and place decide at this moment. The key is consumed."""
        here_key, word_key = jax.random.split(key)
        return self.actor.chance(team, here_key, word_key, self.view(now), now.env, self.batch)

    def learn(self, state: OffPolicyState, key: Array) -> tuple[Stepped, dict[str, Array]]:
        """What has been learned after the updates of an iteration, and metrics. The key is consumed."""
        cfg, hparams = self.cfg, self.present(state)
        pool, distinct = self.replay.pool(state.kept, self.sound(state)), None
        if cfg.max_batch_size is not None:
            distinct = jnp.maximum(jnp.floor(hparams.batch_size / cfg.window), 1).astype(int)

        def sample(key: Array) -> Windows:
            return self.replay.sample(pool, key, state.iteration + 1, self.windows, cfg.window, distinct)

        def of_critics(now: Stepped, key: Array) -> tuple[Stepped, dict[str, Array]]:
            sample_key, step_key = jax.random.split(key)
            return self.step_critics(state, now, sample(sample_key), hparams, step_key)

        def turn(now: Stepped, key: Array) -> tuple[Stepped, dict[str, Array]]:
            critic_key, sample_key, policy_key = jax.random.split(key, 3)
            now, metrics = jax.lax.scan(of_critics, now, jax.random.split(critic_key, cfg.delay))
            now, told = self.step_policies(state, now, sample(sample_key), hparams, policy_key)
            return now, jax.tree.map(jnp.mean, metrics) | told

        begin, turns = Stepped(state.params, state.targets, state.opt_state), cfg.updates // cfg.delay
        if cfg.max_replay_ratio is not None:
            wanted = jnp.maximum(jnp.round(turns * hparams.replay_ratio / cfg.max_replay_ratio), 1)
            return some_of(turn, begin, key, turns, wanted)
        now, metrics = jax.lax.scan(turn, begin, jax.random.split(key, turns))
        return now, jax.tree.map(jnp.mean, metrics)

    def sound(self, state: OffPolicyState) -> Array:
        """`[]` bool: whether policies are finite, and so what they did."""
        return jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(state.params.policy)]).all()

    def step_critics(
        self, state: OffPolicyState, now: Stepped, data: Windows, hparams: Hyperparams, key: Array
    ) -> tuple[Stepped, dict[str, Array]]:
        """A step of all critics towards their targets. The key is consumed."""
        wanted = self.wanted(now.targets, data, state, hparams, key)
        grads, metrics = jax.grad(self.critic_loss, has_aux=True)(now.params.critic, data, wanted)
        critic, opt_state = self.descent.step(
            grads, now.opt_state.critic, now.params.critic, hparams.critic_lr, self.nobody()
        )
        metrics |= {"critic_grad_norm": self.descent.norms(grads)}
        params, opt_state = now.params._replace(critic=critic), now.opt_state._replace(critic=opt_state)
        return Stepped(params, now.targets, opt_state), self.of_teams(metrics)

    def step_policies(
        self, state: OffPolicyState, now: Stepped, data: Windows, hparams: Hyperparams, key: Array
    ) -> tuple[Stepped, dict[str, Array]]:
        """A step of all policies, after which all targets follow. The key is consumed."""
        of_policy = jax.grad(self.policy_loss, has_aux=True)
        grads, metrics = of_policy(now.params.policy, now.params.critic, data, state, hparams, key)
        policy, opt_state = self.descent.step(grads, now.opt_state.policy, now.params.policy, hparams.lr, self.nobody())
        params = now.params._replace(policy=policy)
        targets = jax.tree.map(lambda old, new: old + hparams.tau * (new - old), now.targets, params)
        metrics |= {"policy_grad_norm": self.descent.norms(grads)}
        return Stepped(params, targets, now.opt_state._replace(policy=opt_state)), self.of_teams(metrics)

    def nobody(self) -> Array:
        """`[teams]` bool, false: nobody's update is skipped."""
        return jnp.zeros(len(self.env.team_names), bool)

    def along(self, policy: Any, state: OffPolicyState, moments: Moment) -> Decision:
        """What these policies would do at all moments `[W, T, ...]`, from the first on, messages sent anew."""
        team, beginning = self.team(state)._replace(params=policy), self.actor.memory(self.windows)
        return self.actor.replay(team, moments.obs, moments.circumstances, beginning)

    def wanted(self, targets: Learned, data: Windows, state: OffPolicyState, hparams: Hyperparams, key: Array) -> Array:
        """`[W, L, N]`: reward, and the least that critics say of what follows, if anything does. Consumes the key."""
        later = jax.tree.map(lambda x: x[:, 1:], data.moments)
        decision = self.along(targets.policy, state, data.moments if self.cfg.remembers else later)
        deeds = self.explorer.deeds(key, decision, hparams.relaxation_temperature, self.cfg.smoothing)
        deeds = jax.tree.map(lambda x: x[:, -data.rewards.shape[1] :], deeds)
        following = self.critic.of(targets.critic, later.obs, deeds, deeds).min(axis=0)
        rewards = share_rewards(data.rewards, self.env.teams, self.sharing)
        chex.assert_equal_shape([rewards, following])
        return rewards + hparams.gamma * following * ~data.terminated[..., None]

    def critic_loss(self, critic: Any, data: Windows, wanted: Array) -> tuple[Array, dict[str, Array]]:
        """The squared error of all critics, of all teams; each is a mean over a team's agents."""
        obs, done = jax.tree.map(lambda x: x[:, :-1], data.moments.obs), self.critic.vectors(data.deeds)
        values = self.critic.of(critic, obs, done, done)
        chex.assert_equal_shape([values[0], wanted])
        losses = self.per_team(jnp.square(values - wanted).sum(axis=0))
        return losses.sum(), {"critic_loss": losses, "value_mean": self.per_team(values[0])}

    def policy_loss(
        self, policy: Any, critic: Any, data: Windows, state: OffPolicyState, hparams: Hyperparams, key: Array
    ) -> tuple[Array, dict[str, Array]]:
        """The sum over teams of minus what first critics say, and of the channel's losses. The key is consumed."""
        now = jax.tree.map(lambda x: x[:, :-1], data.moments)
        decision = self.along(policy, state, now)
        own = self.explorer.deeds(key, decision, hparams.relaxation_temperature)
        others = self.critic.vectors(data.deeds)
        if self.cfg.others_actions == "current":
            others = jax.lax.stop_gradient(own)
        values = self.critic.of_first(critic, now.obs, own, others)
        # Of agents without any choice, too, whose mean would be of nothing.
        squares = self.env.join(
            {g: jnp.square(x).sum(axis=-1) / max(x.shape[-1], 1) for g, x in decision.outputs.items()}
        )
        channel_losses, of_channel = talk_losses(self.actor, self.team(state).numbers, decision, None)
        losses = -self.per_team(values) + self.cfg.logit_coef * self.per_team(squares)
        return (losses + channel_losses).sum(), {"policy_loss": losses, **of_channel}


Turn = Callable[[Stepped, Array], tuple[Stepped, dict[str, Array]]]


def some_of(turn: Turn, begin: Stepped, key: Array, most: int, wanted: Array) -> tuple[Stepped, dict[str, Array]]:
    """(what comes of so many turns, means of their metrics). The key is consumed.

    wanted: `[]`, 1 at least. `most` are computed, whoever wants fewer: in a program of many, all do what one does.
    """

    def one(now: Stepped, given: tuple[Array, Array]) -> tuple[Stepped, dict[str, Array]]:
        number, turn_key = given
        after, metrics = turn(now, turn_key)
        return jax.tree.map(lambda new, old: jnp.where(number < wanted, new, old), after, now), metrics

    now, metrics = jax.lax.scan(one, begin, (jnp.arange(most), jax.random.split(key, most)))
    return now, jax.tree.map(lambda x: jnp.where(jnp.arange(most) < wanted, x, 0).sum() / wanted, metrics)
