"""MAPPO: PPO for teams, with centralised critics and messages recomputed in the update (Yu et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxmarl_comm.algorithms import Act, Algorithm
from jaxmarl_comm.algorithms.losses import approx_kl, policy_loss, value_loss
from jaxmarl_comm.algorithms.returns import ValueNorm, gae, share_rewards
from jaxmarl_comm.algorithms.rollout import RolloutState, Trajectory, rollout, rollout_axes, start
from jaxmarl_comm.comm.channel import Intervention, everyone, unchanged
from jaxmarl_comm.distributions import ActionDistribution, action_distribution, num_outputs
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.nets import Critic, Params, TeamPolicy

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config

Array = jax.Array

VALUE_NORM_DECAY = 0.99  # per iteration
ADAM_EPS = 1e-5


class Hyperparams(NamedTuple):
    """The numbers that may differ between members of a population, so they live in the state."""

    lr: Array
    gamma: Array
    gae_lambda: Array
    clip_eps: Array
    ent_coef: Array


class Learned(NamedTuple):
    """One of something (parameters, optimiser state, ...) for the policies and one for the critics."""

    policy: Any
    critic: Any


class TrainState(NamedTuple):
    """Everything that changes during training of one seed: saving it saves the run."""

    params: Learned
    opt_state: Learned
    value_norm: ValueNorm
    rollout: RolloutState
    hparams: Hyperparams
    iteration: Array
    key: Array


class Batchwise(NamedTuple):
    """What the losses need, per environment: `[E, T, ...]`, so that a minibatch is a choice of rows."""

    obs: dict[str, Array]
    actions: dict[str, Array]
    log_probs: Array
    advantages: Array
    old_values: Array
    targets: Array


def make_mappo(cfg: Config, env: Env) -> Algorithm:
    """MAPPO with the config's channel on this environment."""
    learner = Mappo(cfg, env)
    return Algorithm(
        init=learner.init,
        update=learner.update,
        act=learner.act,
        policy=lambda state: state.params.policy,
        state_axes=TrainState(0, 0, 0, rollout_axes(learner.batch), 0, 0, 0),  # type: ignore[arg-type]
    )


class Mappo:
    """The pure functions of MAPPO, closed over the config and the networks' shapes. Nothing here changes."""

    def __init__(self, cfg: Config, env: Env) -> None:
        self.cfg, self.env, self.batch = cfg, env, Batch(env, cfg.num_envs)
        self.factors = {
            group: {name: size for name, size in space.factors if name != "say" or cfg.comm.speech}
            for group, space in env.action_spaces.items()
        }
        self.policy_net: Any = TeamPolicy(
            env=env,
            num_outputs={
                group: num_outputs(factors, env.continuous_actions) for group, factors in self.factors.items()
            },
            hidden_dim=cfg.hidden_dim,
            share_params=cfg.share_params,
            rounds=cfg.comm.rounds,
            message_dim=cfg.comm.message_dim,
            links=everyone(env.num_agents),
        )
        self.critic_net: Any = Critic(env, cfg.hidden_dim, cfg.share_params)
        self.optimiser = optax.chain(optax.clip_by_global_norm(cfg.max_grad_norm), optax.scale_by_adam(eps=ADAM_EPS))

    def init(self, key: Array) -> TrainState:
        policy_key, critic_key, env_key, key = jax.random.split(key, 4)
        rollout_state = start(self.batch, env_key)
        params = Learned(
            self.policy_net.init(policy_key, rollout_state.obs, unchanged),
            self.critic_net.init(critic_key, rollout_state.obs),
        )
        swept = (jnp.asarray(getattr(self.cfg, name), float) for name in Hyperparams._fields)
        return TrainState(
            params=params,
            opt_state=Learned(*map(self.optimiser.init, params)),
            value_norm=ValueNorm.start(self.env.num_agents),
            rollout=rollout_state,
            hparams=Hyperparams(*swept),
            iteration=jnp.zeros((), jnp.int32),
            key=key,
        )

    def act(self, params: Params, key: Array, obs: dict[str, Array], greedy: Array, intervene: Intervention) -> Act:
        chosen, distributions, messages = {}, *self.distributions(params, obs, intervene)
        for group, group_key in zip(self.env.groups, jax.random.split(key, len(self.env.groups)), strict=True):
            distribution = distributions[group]
            sampled, best = distribution.sample(group_key), distribution.mode()
            chosen[group] = {name: jnp.where(greedy, best[name], sampled[name]) for name in best}
        return Act(self.to_actions(chosen, distributions), messages)

    def update(self, state: TrainState) -> tuple[TrainState, dict[str, Array]]:
        """One iteration: a rollout, advantages, and `ppo_epochs` passes over it in minibatches."""
        key, rollout_key, update_key = jax.random.split(state.key, 3)
        rollout_state, traj = rollout(
            self.batch,
            lambda act_key, obs: self.act_and_log_prob(state.params.policy, act_key, obs),
            lambda obs: self.values(state.params.critic, state.value_norm, obs),
            rollout_key,
            state.rollout,
            self.cfg.rollout_len,
        )
        data, value_norm, returns = self.prepare(state, traj, rollout_state.obs)
        progress = state.iteration / self.cfg.num_iters
        lr = state.hparams.lr * (1 - progress if self.cfg.anneal_lr else 1.0)
        (params, opt_state), losses = self.optimise(state.params, state.opt_state, data, lr, state.hparams, update_key)
        metrics = {"return": finished_mean(traj), "lr": lr, "value_mean": returns.mean(), **losses}
        metrics["param_norm"] = optax.tree.norm(params)
        after = state._replace(
            params=params,
            opt_state=opt_state,
            value_norm=value_norm,
            rollout=rollout_state,
            iteration=state.iteration + 1,
            key=key,
        )
        return after, metrics

    def distributions(
        self, params: Params, obs: dict[str, Array], intervene: Intervention
    ) -> tuple[dict[str, ActionDistribution], Array]:
        """group -> distribution over `[..., n]` agents, and the messages `[..., N, M]` behind them."""
        outputs, messages = self.policy_net.apply(params, obs, intervene)
        continuous = self.env.continuous_actions
        return {g: action_distribution(outputs[g], self.factors[g], continuous) for g in self.env.groups}, messages

    def act_and_log_prob(self, params: Params, key: Array, obs: dict[str, Array]) -> tuple[dict[str, Array], Array]:
        """Sampled actions, and their log-probabilities `[E, N]`."""
        distributions, _ = self.distributions(params, obs, unchanged)
        keys = dict(zip(self.env.groups, jax.random.split(key, len(self.env.groups)), strict=True))
        chosen = {g: distributions[g].sample(keys[g]) for g in self.env.groups}
        log_probs = {g: distributions[g].log_prob(chosen[g]) for g in self.env.groups}
        return self.to_actions(chosen, distributions), self.env.join(log_probs)

    def to_actions(
        self, chosen: dict[str, dict[str, Array]], distributions: dict[str, ActionDistribution]
    ) -> dict[str, Array]:
        """The environment's actions from the factors that the policies chose."""
        spaces = self.env.action_spaces
        return {g: spaces[g].join(chosen[g], distributions[g].batch_shape) for g in self.env.groups}

    def values(self, params: Params, value_norm: ValueNorm, obs: dict[str, Array]) -> Array:
        """`[..., N]` in units of the reward."""
        return value_norm.denormalise(self.critic_net.apply(params, obs))

    def prepare(
        self, state: TrainState, traj: Trajectory, last_obs: dict[str, Array]
    ) -> tuple[Batchwise, ValueNorm, Array]:
        """Advantages and normalised targets, environments first; the new scale of returns; the returns `[T, E, N]`."""
        outputs = self.critic_net.apply(state.params.critic, traj.obs)
        values = state.value_norm.denormalise(outputs)
        last_values = self.values(state.params.critic, state.value_norm, last_obs)
        over = (traj.terminated | traj.truncated)[..., None]
        next_values = jnp.where(over, traj.final_values, jnp.concatenate([values[1:], last_values[None]]))
        rewards = share_rewards(traj.rewards, self.env.teams, self.cfg.reward_sharing_weight)
        terminated = traj.terminated[..., None]
        advantages = gae(rewards, values, next_values, terminated, over, state.hparams.gamma, state.hparams.gae_lambda)
        returns = advantages + values
        value_norm = state.value_norm.update(returns, VALUE_NORM_DECAY)
        by_time = Batchwise(
            obs=traj.obs,
            actions=traj.actions,
            log_probs=traj.log_probs,
            advantages=normalise_per_group(self.env, advantages),
            old_values=outputs,
            targets=value_norm.normalise(returns),
        )
        return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), by_time), value_norm, returns

    def optimise(
        self, params: Learned, opt_state: Learned, data: Batchwise, lr: Array, hparams: Hyperparams, key: Array
    ) -> tuple[tuple[Learned, Learned], dict[str, Array]]:
        """`ppo_epochs` × `num_minibatches` steps; metrics are means over them."""
        cfg = self.cfg

        def step(carry: tuple[Learned, Learned], rows: Array) -> tuple[tuple[Learned, Learned], dict[str, Array]]:
            params, opt_state = carry
            minibatch = jax.tree.map(lambda x: x[rows], data)
            grads, metrics = jax.grad(self.loss, has_aux=True)(params, minibatch, hparams)
            stepped = [self.descend(*each, lr) for each in zip(grads, opt_state, params, strict=True)]
            metrics["policy_grad_norm"] = optax.tree.norm(grads.policy)
            metrics["critic_grad_norm"] = optax.tree.norm(grads.critic)
            return (Learned(*(p for p, _ in stepped)), Learned(*(o for _, o in stepped))), metrics

        def epoch(carry: Any, epoch_key: Array) -> tuple[Any, dict[str, Array]]:
            rows = jax.random.permutation(epoch_key, cfg.num_envs).reshape(cfg.num_minibatches, -1)
            return jax.lax.scan(step, carry, rows)

        carry, metrics = jax.lax.scan(epoch, (params, opt_state), jax.random.split(key, cfg.ppo_epochs))
        return carry, jax.tree.map(jnp.mean, metrics)

    def descend(self, grads: Params, opt_state: Any, params: Params, lr: Array) -> tuple[Params, Any]:
        """(parameters, optimiser state) after one step of Adam on the clipped gradients."""
        direction, opt_state = self.optimiser.update(grads, opt_state)
        return jax.tree.map(lambda p, d: p - lr * d, params, direction), opt_state

    def loss(self, params: Learned, data: Batchwise, hparams: Hyperparams) -> tuple[Array, dict[str, Array]]:
        """The sum of policy and value losses: they share no parameters, so one gradient serves both."""
        distributions, _ = self.distributions(params.policy, data.obs, unchanged)
        groups, spaces = self.env.groups, self.env.action_spaces
        log_probs = self.env.join({g: distributions[g].log_prob(spaces[g].split(data.actions[g])) for g in groups})
        entropy = self.env.join({g: distributions[g].entropy() for g in groups}).mean()
        log_ratio = log_probs - data.log_probs
        ratio = jnp.exp(log_ratio)
        surrogate = policy_loss(ratio, data.advantages, hparams.clip_eps).mean()
        values = self.critic_net.apply(params.critic, data.obs)
        critic_loss = value_loss(values, data.old_values, data.targets, hparams.clip_eps).mean()
        metrics = {
            "policy_loss": surrogate,
            "value_loss": critic_loss,
            "entropy": entropy,
            "approx_kl": approx_kl(log_ratio).mean(),
            "clip_fraction": jnp.mean(jnp.abs(ratio - 1) > hparams.clip_eps),
        }
        return surrogate - hparams.ent_coef * entropy + critic_loss, metrics


def normalise_per_group(env: Env, advantages: Array) -> Array:
    """`[T, E, N]` with mean 0 and variance 1 within each group, so that opponents' scales do not mix."""
    parts = {group: (part - part.mean()) / (part.std() + 1e-8) for group, part in env.split(advantages).items()}
    return env.join(parts)


def finished_mean(traj: Trajectory) -> Array:
    """Mean return of the episodes that ended in this rollout, NaN if none did."""
    ended = (traj.terminated | traj.truncated).sum()
    return jnp.where(ended > 0, traj.returns.sum() / jnp.maximum(ended, 1), jnp.nan)
