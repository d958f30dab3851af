"""What the reference runs must reach, each with five seeds (minutes each: `pytest -m slow`)."""

from pathlib import Path

import pytest

from jaxmarl_comm import train_wrapper
from jaxmarl_comm.config import load_config

CONFIGS = Path(__file__).parent.parent / "configs"

# config: (lowest mean return over seeds, highest, lowest return of any seed)
REACHED = {
    "mappo_ref": (-7.4, -7.08, -7.45),
    "mappo_ref_speech": (-7.6, -7.24, -7.6),
    "mappo_ref_silent": (-17.4, -16.6, -17.4),
    "mappo_speaker_listener": (-7.35, -7.1, -7.45),
    "mappo_speaker_listener_speech": (-7.55, -7.25, -7.65),
    "mappo_spread": (-10.0, -6.6, -10.5),
}
TALKING = [name for name in REACHED if "silent" not in name and "spread" not in name]
SILENT_OPTIMUM = {"mappo_ref": -16.6, "mappo_speaker_listener": -15.0}

pytestmark = [pytest.mark.slow, pytest.mark.optimised]


@pytest.fixture(scope="module")
def evaluation_of(tmp_path_factory):
    """Config name -> evaluation of five seeds, trained once."""
    known = {}

    def evaluate(name):
        if name not in known:
            cfg = load_config(CONFIGS / f"{name}.yaml", {"num_seeds": 5})
            known[name] = train_wrapper(cfg, tmp_path_factory.mktemp("runs") / name).evaluation
        return known[name]

    return evaluate


@pytest.mark.parametrize("name", REACHED)
def test_returns(name, evaluation_of):
    low, high, worst = REACHED[name]
    evaluation = evaluation_of(name)
    assert low <= evaluation["return"]["mean"] <= high
    assert min(evaluation["return"]["of_each_seed"]) >= worst


@pytest.mark.parametrize("name", TALKING)
def test_agents_talk_and_listen(name, evaluation_of):
    evaluation = evaluation_of(name)
    silent = next(bound for task, bound in SILENT_OPTIMUM.items() if name.startswith(task))
    assert evaluation["protocol_fraction"] == 1.0
    assert evaluation["success"]["mean"] >= 0.98
    assert evaluation["message_information"]["mean"] >= 1.0
    assert evaluation["return_muted"]["mean"] <= silent
    assert evaluation["return_shuffled"]["mean"] <= silent


@pytest.mark.parametrize("name", REACHED)
def test_the_same_policy_scores_the_same_in_mpe2(name, evaluation_of):
    evaluation = evaluation_of(name)
    # 1,000 episodes whose returns have a standard deviation below 9, the same starts for every seed
    assert evaluation["return_reference"]["mean"] == pytest.approx(evaluation["return"]["mean"], abs=3 * 9 / 1000**0.5)
