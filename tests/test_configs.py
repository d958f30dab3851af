"""The configs that come with the package, each with the settings of a quick test."""

import jax
import numpy as np
import pytest

from jaxmarl_comm.algorithms.maddpg import Maddpg
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.cli import quick_test
from jaxmarl_comm.config import load_config
from learners import among_others, assert_fits_together, lively
from runs import ROOT

LEARNERS = {"mappo": Mappo, "ippo": Mappo, "maddpg": Maddpg, "matd3": Maddpg}
CONFIGS = pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)


def learner_of(path):
    cfg = load_config(path)
    cfg = cfg.replace({**quick_test(cfg, {}), "hidden_dim": 8})
    return LEARNERS[cfg.algorithm](cfg, cfg.make_env())


@CONFIGS
def test_every_config_fits_together(path):
    learner = learner_of(path)
    assert_fits_together(learner, lively(learner))


@pytest.mark.slow
@CONFIGS
def test_every_config_trains(path):
    learner = learner_of(path)
    after, metrics = jax.jit(among_others(learner.update))(lively(learner))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((after.params, metrics)))
