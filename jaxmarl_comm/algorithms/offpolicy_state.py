"""What learners from replay carry from iteration to iteration."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxmarl_comm.algorithms.ppo_state import Learned
from jaxmarl_comm.algorithms.replay import Windows
from jaxmarl_comm.algorithms.rollout import RolloutState
from jaxmarl_comm.algorithms.team import TeamMemory
from jaxmarl_comm.comm.channel import Numbers

Array = jax.Array


class Carried(NamedTuple):
    """What is carried from step to step: by the team, and by the noise on its actions."""

    team: TeamMemory
    noise: Any


class Hyperparams(NamedTuple):
    """`[]` each; a population may vary them. batch_size, replay_ratio: read where there is room for more."""

    lr: Array
    critic_lr: Array
    gamma: Array
    tau: Array
    expl_noise: Array
    relaxation_temperature: Array
    batch_size: Array
    replay_ratio: Array
    comm: Numbers


class Stepped(NamedTuple):
    """What updates change. targets: parameters that follow `params` slowly."""

    params: Learned
    targets: Learned
    opt_state: Learned


class OffPolicyState(NamedTuple):
    """Everything that changes during training of one seed: saving it saves the run, replay included.

    targets: parameters that follow `params` slowly. kept: see Replay.
    """

    params: Learned
    targets: Learned
    opt_state: Learned
    kept: Windows
    rollout: RolloutState
    hparams: Hyperparams
    iteration: Array
    key: Array
