"""AgileRL's own training loop on the task of its tutorial. It runs in AgileRL's environment, so that nothing of this
project is imported: `versus_agilerl.py` starts it.

Settings come as JSON in the argument; the last line of the output is JSON: `seconds` of training, and `scores`, the
returns of the latest training episodes, summed over agents.
"""

import json
import sys
import time
from typing import Any

LATEST = 200


def make_task() -> Any:
    """Continuous speaker_listener."""
    from mpe2 import simple_speaker_listener_v4

    return simple_speaker_listener_v4.parallel_env(continuous_actions=True)


def train(steps: int, num_envs: int, batch_size: int, learn_step: int, threads: int) -> dict[str, Any]:
    """One agent's training, neither selected nor mutated."""
    import torch
    from agilerl.algorithms import MATD3
    from agilerl.components.replay_buffer import ReplayBuffer
    from agilerl.training.train_multi_agent_off_policy import train_multi_agent_off_policy
    from agilerl.vector.pz_async_vec_env import AsyncPettingZooVecEnv

    torch.set_num_threads(threads)
    env = AsyncPettingZooVecEnv([make_task] * num_envs)
    agents = make_task().possible_agents
    learner = MATD3(
        observation_spaces=[env.single_observation_space(agent) for agent in agents],
        action_spaces=[env.single_action_space(agent) for agent in agents],
        agent_ids=agents,
        vect_noise_dim=num_envs,
        net_config={"encoder_config": {"hidden_size": [32]}, "head_config": {"hidden_size": [32]}},
        batch_size=batch_size,
        lr_actor=1e-3,
        lr_critic=1e-3,
        learn_step=learn_step,
    )
    scores: list[float] = []
    keep = learner.add_scores
    learner.add_scores = lambda found: (scores.__iadd__(found), keep(found))
    began = time.perf_counter()
    train_multi_agent_off_policy(
        env,
        "speaker_listener",
        "MATD3",
        [learner],
        ReplayBuffer(max_size=100_000),
        max_steps=steps,
        evo_steps=steps,
        eval_steps=1,  # its evaluation is not what is timed, and cannot be left out
        learning_delay=1000,
        verbose=False,
    )
    return {"seconds": time.perf_counter() - began, "scores": scores[-LATEST:]}


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
