"""What PPO carries from iteration to iteration, and what it learns from in one."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxmarl_comm.algorithms.returns import ValueNorm
from jaxmarl_comm.algorithms.rollout import RolloutState
from jaxmarl_comm.algorithms.team import TeamMemory
from jaxmarl_comm.comm.channel import Circumstances, Numbers

Array = jax.Array


class Hyperparams(NamedTuple):
    """`[]` each. They may differ between members of a population, so they live in the state."""

    lr: Array
    critic_lr: Array
    gamma: Array
    gae_lambda: Array
    clip_eps: Array
    ent_coef: Array
    vf_coef: Array
    comm: Numbers


class Learned(NamedTuple):
    """One of something (parameters, optimiser state, ...) for the policies and one for the critics."""

    policy: Any
    critic: Any


class Memories(NamedTuple):
    """What is carried from step to step, `[E, ...]` each: by the team, and by its critics."""

    team: TeamMemory
    critics: dict[str, Array]


class TrainState(NamedTuple):
    """Everything that changes during training of one seed: saving it saves the run.

    past: earlier policies, to be played by; `()` where nobody is.
    """

    params: Learned
    opt_state: Learned
    value_norm: ValueNorm
    past: Any
    rollout: RolloutState
    hparams: Hyperparams
    iteration: Array
    key: Array


class Batchwise(NamedTuple):
    """What the losses need, per environment: `[E, T, ...]`, so that a minibatch is a choice of rows.

    memory: before the first step, `[E, ...]`.
    """

    obs: dict[str, Array]
    actions: dict[str, Array]
    log_probs: Array
    advantages: Array
    old_values: Array
    targets: Array
    circumstances: Circumstances
    memory: Memories
