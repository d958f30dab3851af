"""AgileRL's own training loop on the task of its tutorial. It runs in AgileRL's environment, so that nothing of this
project is imported: `versus_agilerl.py` and `evolving.py` start it.

Settings come as JSON in the argument. The last line of the output is JSON: `generations`, a list for each of what its
members' training episodes returned on average since the one before, summed over agents, and `seconds` until its end.
"""

import json
import sys
import time
from typing import Any


def make_task() -> Any:
    """Continuous speaker_listener."""
    from mpe2 import simple_speaker_listener_v4

    return simple_speaker_listener_v4.parallel_env(continuous_actions=True)


def train(
    steps: int, num_envs: int, batch_size: int, learn_step: int, threads: int, members: int, evo_steps: int
) -> dict[str, Any]:
    """The training of one agent, neither selected nor mutated, or the evolution of several, by the tutorial's settings.

    steps: of each member.
    """
    import torch
    from agilerl.components.replay_buffer import ReplayBuffer
    from agilerl.training.train_multi_agent_off_policy import train_multi_agent_off_policy
    from agilerl.vector.pz_async_vec_env import AsyncPettingZooVecEnv

    torch.set_num_threads(threads)
    env = AsyncPettingZooVecEnv([make_task] * num_envs)
    generations: list[list[float]] = [[]]
    seconds: list[float] = []
    began = time.perf_counter()

    def note(scores: list[float]) -> None:
        if len(generations[-1]) == members:
            generations.append([])
        generations[-1].append(sum(scores) / max(len(scores), 1))
        seconds[len(generations) - 1 :] = [time.perf_counter() - began]

    learners = [learner(env, num_envs, batch_size, learn_step, k, members) for k in range(members)]
    listen(type(learners[0]), note)
    train_multi_agent_off_policy(
        env,
        "speaker_listener",
        "MATD3",
        learners,
        ReplayBuffer(max_size=100_000),
        max_steps=steps,
        evo_steps=evo_steps,
        # The evaluation of one agent is not what is timed, and cannot be left out.
        eval_steps=1 if members == 1 else None,
        learning_delay=1000,
        verbose=False,
        **(selection(members) if members > 1 else {}),
    )
    return {"seconds": seconds, "generations": generations}


def listen(kind: Any, note: Any) -> None:
    """Have `note` told of the training episodes of every learner of this kind, descendants included."""
    keep = kind.add_scores

    def add_scores(self: Any, scores: list[float]) -> None:
        note(scores)
        keep(self, scores)

    kind.add_scores = add_scores


def learner(env: Any, num_envs: int, batch_size: int, learn_step: int, index: int, members: int) -> Any:
    """One member, of networks and learning rates as in the tutorial, and, if there are several, its ranges."""
    from agilerl.algorithms import MATD3
    from agilerl.algorithms.core.registry import HyperparameterConfig, RLParameter

    agents = make_task().possible_agents
    ranges = {
        "lr_actor": RLParameter(min=1e-4, max=1e-2),
        "lr_critic": RLParameter(min=1e-4, max=1e-2),
        "batch_size": RLParameter(min=8, max=512, dtype=int),
        "learn_step": RLParameter(min=20, max=200, dtype=int, grow_factor=1.5, shrink_factor=0.75),
    }
    return MATD3(
        observation_spaces=[env.single_observation_space(agent) for agent in agents],
        action_spaces=[env.single_action_space(agent) for agent in agents],
        agent_ids=agents,
        vect_noise_dim=num_envs,
        net_config={"encoder_config": {"hidden_size": [32]}, "head_config": {"hidden_size": [32]}},
        batch_size=batch_size,
        lr_actor=1e-3,
        lr_critic=1e-3,
        learn_step=learn_step,
        index=index,
        hp_config=HyperparameterConfig(**ranges) if members > 1 else None,
    )


def selection(members: int) -> dict[str, Any]:
    """Who has descendants, and what befalls these, as in the tutorial."""
    from agilerl.hpo.mutation import Mutations
    from agilerl.hpo.tournament import TournamentSelection

    return {
        "tournament": TournamentSelection(tournament_size=2, elitism=True, population_size=members),
        "mutation": Mutations(
            no_mutation=0.2,
            architecture=0.2,
            new_layer_prob=0.2,
            parameters=0.2,
            activation=0,
            rl_hp=0.2,
            mutation_sd=0.1,
            rand_seed=1,
        ),
    }


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
