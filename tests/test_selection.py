"""Who has descendants in a population, and which settings of evolution cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import ConfigError, default_cfg
from jaxmarl_comm.evolution.selection import select
from jaxmarl_comm.evolution_config import EvolutionConfig
from runs import EVOLVING, TINY

KEY = jax.random.key(0)
SCORES = jnp.array([0.0, 5.0, -jnp.inf, 3.0, 1.0, 2.0, -1.0, 4.0])


def chosen(score=SCORES, generation=1, **settings):
    evolution = EvolutionConfig(population_size=len(score), **settings)
    pick = jax.vmap(lambda key: select(evolution, key, score, jnp.array(generation)))
    return jax.tree.map(np.asarray, pick(jax.random.split(KEY, 200)))


def test_a_tournament_keeps_the_elite_and_prefers_the_fit():
    found = chosen(selection="tournament", tournament_size=2)
    assert (found.parents[:, 1] == 1).all()
    assert not found.mutable[:, 1].any()
    assert found.mutable[:, [0, 2, 3, 4, 5, 6, 7]].all()
    assert (found.parents != 2).all()
    often = np.bincount(found.parents[:, [0, 2, 3, 4, 5, 6, 7]].ravel(), minlength=8) / found.parents[:, 1:].size
    # Of two drawn out of eight, the best wins if either is it, the second best if either is and none is better.
    np.testing.assert_allclose(often[1], 15 / 64, atol=0.04)
    np.testing.assert_allclose(often[7], 13 / 64, atol=0.04)


def test_a_tournament_without_elitism_and_with_a_mutated_elite():
    assert chosen(selection="tournament", elitism=False).mutable.all()
    mutated = chosen(selection="tournament", mutate_elite=True)
    assert mutated.mutable.all()
    assert (mutated.parents[:, 1] == 1).all()


def test_truncation_replaces_the_worst_quarter_by_the_best():
    found = chosen(selection="truncation")
    assert (np.delete(found.parents, [2, 6], axis=1) == [0, 1, 3, 4, 5, 7]).all()
    assert set(found.parents[:, [2, 6]].ravel()) == {1, 7}
    assert (found.mutable == np.isin(np.arange(8), [2, 6])).all()


def test_slow_subpopulations_wait_and_learn_from_quick_ones():
    score = jnp.array([9.0, 1.0, 2.0, 3.0, 0.0, 5.0, 4.0, 6.0])
    off, due = (chosen(score, generation, selection="multi_frequency", frequencies=[1, 5]) for generation in (4, 5))
    assert (off.parents == [0, 0, 2, 3, 4, 5, 6, 7]).all()
    assert (due.parents == [0, 0, 2, 3, 7, 5, 0, 7]).all()  # 6 is its third: the best of the quick ones comes
    assert (due.mutable == [0, 1, 0, 0, 1, 0, 0, 0]).all()
    assert (off.mutable == [0, 1, 0, 0, 0, 0, 0, 0]).all()


def test_nobody_has_descendants_in_random_search():
    found = chosen(selection="none")
    assert (found.parents == np.arange(8)).all()
    assert not found.mutable.any()


BITS = {"comm.preset": "commnet", "comm.discretise": "quantise"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"evolution.tournament_size": 5}, r"tournament_size \(5\) is more than the 4 members"),
        ({"evolution.ranges": {"lr": [1e-2, 1e-4]}}, "the least value comes first"),
        ({"evolution.ranges": {"gamma": [0.5, 50]}}, "'gamma' is 50: input should be less"),
        ({"evolution.ranges": {"lr": [1e-50, 1e-4]}}, "1e-50 is 0 in single precision"),
        (
            {"env.name": "simple_tag_v3", "opponents": {"adversary": "random"}, "teams": {"good": {"lr": 0.5}}},
            "lr cannot evolve where teams.good has its own",
        ),
        (
            {
                "env.name": "simple_tag_v3",
                "opponents": {"adversary": "random"},
                "teams": {"good": {"lr": 0.5}},
                "evolution.ranges": {"critic_lr": [1e-4, 1e-2]},
            },
            "critic_lr cannot evolve where teams.good has its own",
        ),
        ({"evolution.ranges": {"tau": [1e-3, 1e-2]}}, "'tau' cannot be varied"),
        ({"evolution.ranges": {"comm.noise": [0.1, 1]}}, "no stage that reads it"),
        ({"evolution.ranges": {"lr": [1e-2]}}, "evolution.ranges.lr"),
        ({"evolution.probabilities.architecture": 0.5}, "set net.max_width or net.max_layers"),
        ({"evolution.probabilities.activation": 0.5}, "set net.activations"),
        ({"net.max_width": 4}, "net.max_width is 4, but agent begins with 8"),
        ({"net.max_width": 64, "net.memory": "gru"}, "networks without cells"),
        ({"net.max_width": 64, "net.hidden": [8, 16]}, "layers of one width"),
        ({"evolution.evo_interval": 3}, "must be a multiple of log_interval"),
        ({"evolution.evo_interval": 40}, "leaves no generation before the end"),
        ({"evolution.burn_in": 40}, r"leaves no generation before the end, .* after evolution.burn_in \(40\)"),
        ({"evolution.selection": "none", "evolution.burn_in": 2}, "evolution.burn_in means nothing here"),
        ({"evolution.selection": "truncation", "evolution.tournament_size": 3}, "means nothing here"),
        ({"evolution.selection": "truncation", "evolution.population_size": 3}, "must be 4"),
        ({"evolution.selection": "multi_frequency", "evolution.population_size": 6}, "at least 8"),
        ({"evolution.population_size": 1, "evolution.evo_interval": 4}, "means nothing in a population_size of 1"),
        ({"evolution.probabilities": {"none": 0, "rl_hp": 0, "parameters": 0}}, "all 0"),
        ({"env.name": "simple_tag_v3", "comm.preset": "none"}, "fitness is that of one team"),
        ({"comm.preset": "none", "evolution.bit_price": 1.0}, "nobody can send"),
        ({"evolution.elitism": False, "evolution.mutate_elite": True}, "no elite: elitism is false"),
        ({"env.name": "microgrid_v0", "evolution.fitness": "success"}, "does not say what success is"),
        ({"evolution.new_layer_prob": 0.5}, "means nothing while evolution.probabilities.architecture is 0"),
        ({"evolution.probabilities.rl_hp": 0, "evolution.grow_factor": 2}, "evolution.grow_factor means nothing"),
        ({"evolution.probabilities.rl_hp": 0, "evolution.resample_prob": 0.5}, "evolution.resample_prob means nothing"),
        ({"evolution.selection": "none", "evolution.ranges": {"lr": [1e-4, 1e-2]}}, "nor begin at random"),
        ({"evolution.ranges": {"lr": [1e-4, 1e-3]}}, "members begin with 0.005"),
        ({"evolution.ranges": {"comm.bits": [3, 5]}, **BITS}, "members begin with 2"),
        (
            {"evolution.selection": "multi_frequency", "evolution.population_size": 8, "evolution.frequencies": [2, 2]},
            "are all 2",
        ),
        ({"evolution.share_replay": True}, "for algorithms that learn from replay: not mappo"),
        ({"evolution.ranges": {"comm.message_dim": [2, 6]}, **BITS}, "no stage that reads it"),
        ({"control": True}, "a silent team that does not evolve"),
        ({"evolution": 4}, r"--evolution.population_size NAME"),
    ],
)
def test_what_cannot_evolve_is_told_in_one_line(changes, told):
    with pytest.raises(ConfigError, match=told):
        default_cfg().replace({**TINY, **EVOLVING, "evolution.tournament_size": 2, **changes})


def test_a_mistake_beside_ranges_is_not_laid_to_them():
    with pytest.raises(ConfigError) as told:
        default_cfg().replace({**TINY, **EVOLVING, "num_minibatches": 3, "evolution.ranges": {"lr": [1e-4, 1e-2]}})
    assert len(told.value.mistakes) == 1 and "num_minibatches" in told.value.mistakes[0]
