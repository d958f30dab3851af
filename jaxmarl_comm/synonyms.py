"""What other libraries call our settings: an unknown key that is one of theirs is answered with ours."""

from __future__ import annotations

RENAMED = {
    "clip_coef": "clip_eps",
    "clip_epsilon": "clip_eps",
    "clip_range": "clip_eps",
    "clip_ratio": "clip_eps",
    "comm_dim": "comm.message_dim",
    "communication_dim": "comm.message_dim",
    "communication_rounds": "comm.rounds",
    "discount": "gamma",
    "entropy_coeff": "ent_coef",
    "episode_length": "rollout_len",
    "env_name": "env.name",
    "gae_lam": "gae_lambda",
    "grad_clip": "max_grad_norm",
    "hidden_size": "hidden_dim",
    "iterations": "num_iters",
    "learning_rate": "lr",
    "max_kl": "target_kl",
    "n_epochs": "ppo_epochs",
    "n_rollout_threads": "num_envs",
    "num_mini_batch": "num_minibatches",
    "ppo_epoch": "ppo_epochs",
    "value_loss_coef": "vf_coef",
    "num_epochs": "ppo_epochs",
    "num_sgd_iter": "ppo_epochs",
    "num_steps": "rollout_len",
    "n_envs": "num_envs",
    "n_steps": "rollout_len",
    "reward_sharing_weight": "reward_mix",
    "rollout_length": "rollout_len",
    "share_policy": "share_params",
    "update_epochs": "ppo_epochs",
    "use_valuenorm": "value_norm",
    "value_coef": "vf_coef",
    "vf_loss_coeff": "vf_coef",
}

CONVERTED = {
    "anneal_lr": "lr_schedule: linear, or constant",
    "batch_size": "num_envs, as a rollout is num_envs * rollout_len steps",
    "clip_vloss": "clip_values",
    "critic_learning_rate": "critic_lr",
    "enable_communication": "comm.preset: commnet, or none",
    "independent_policies": "share_params: false",
    "minibatch_size": "num_minibatches: num_envs * rollout_len / minibatch_size",
    "norm_adv": "advantage_norm: group, agent, minibatch or none",
    "num_workers": "num_envs: environments run side by side in one program",
    "num_env_steps": "num_iters: num_env_steps / (num_envs * rollout_len)",
    "obs_agent_id": "actor_id: one_hot",
    "share_critic": "share_critics: team, group or agent",
    "share_critic_params": "share_critics: team, group or agent",
    "share_reward": "reward_sharing: shared, individual or mixed",
    "total_timesteps": "num_iters: total_timesteps / (num_envs * rollout_len)",
    "train_batch_size": "num_envs: train_batch_size / rollout_len",
    "use_centralized_v": "algorithm: mappo, or ippo",
    "use_global_state": "critic_input: state, joint or own",
    "use_huber_loss": "huber_delta: 10, or 0",
    "use_mixed_precision": "net.precision: bfloat16, or float32",
}


def ours(word: str) -> str | None:
    """What a key of another library is here, in words, if it is known; its section, case and dashes do not matter."""
    name = word.rpartition(".")[2].replace("-", "_").lower()
    return RENAMED.get(name) or CONVERTED.get(name)
