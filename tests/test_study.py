"""Studies: what is trained side by side, what is written, how one goes on after an interruption."""

import json

import numpy as np
import pytest

from jaxmarl_comm.cli import CONFIGS, study_main
from jaxmarl_comm.config import ConfigError
from jaxmarl_comm.study.config import load_study, programs
from jaxmarl_comm.study.folder import StudyFolder
from jaxmarl_comm.study.run import run_study

TINY = """
run: {num_iters: 3, num_envs: 4, num_minibatches: 1, hidden_dim: 8, num_seeds: 2, log_interval: 2, eval_episodes: 20}
protocols:
  silent: {preset: none}
  noisy: {preset: commnet, message_dim: 2}
sweeps:
  - {protocols: [silent]}
  - {field: noise, values: [0, 3], protocols: [noisy]}
"""


def write(path, text=TINY):
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    study = write(folder / "tiny.yaml")
    assert study_main(["--config", str(study), "--run-dir", str(folder / "out"), "--seed", "3"]) == 0
    return folder / "out"


def test_a_study_leaves_rows_a_table_and_a_picture(finished):
    rows = json.loads((finished / "results.json").read_text())
    assert [(row["protocol"], row["field"], row["value"]) for row in rows] == [
        ("silent", None, None), ("noisy", "noise", 0), ("noisy", "noise", 3),
    ]  # fmt: skip
    for row in rows:
        assert row["return"]["low"] <= row["return"]["mean"] <= row["return"]["high"]
        assert len(row["return_of_each_seed"]) == 2 and row["env_steps"] == 300
    assert rows[0]["bits_per_step"]["mean"] is None and rows[1]["bits_per_step"]["mean"] == 64
    table = (finished / "table.md").read_text()
    assert "| noisy | noise = 3 |" in table and table.count("\n") == 5
    assert (finished / "study.png").read_bytes().startswith(b"\x89PNG")


def test_values_are_trained_with_their_own_noise(finished):
    rows = json.loads((finished / "results.json").read_text())
    assert rows[1]["return_of_each_seed"] != rows[2]["return_of_each_seed"]


@pytest.mark.slow
def test_side_by_side_is_as_one_by_one(finished, tmp_path):
    """Noise 0 beside noise 3 is what a study without noise finds."""
    alone = TINY.replace("[0, 3]", "[0]")
    folder = StudyFolder.create(tmp_path / "alone", load_study(write(tmp_path / "alone.yaml", alone), {"seed": 3}))
    rows = run_study(folder.open(folder.path)[1], folder, tell=lambda line: None)
    beside = json.loads((finished / "results.json").read_text())
    np.testing.assert_allclose(rows[1]["return_of_each_seed"], beside[1]["return_of_each_seed"], rtol=1e-3)


def test_a_study_goes_on_where_it_stopped(finished, capsys):
    rows = json.loads((finished / "results.json").read_text())
    (finished / "results.json").write_text(json.dumps(rows[:1]))
    assert study_main(["--resume", str(finished)]) == 0
    assert "1/2 silent: done before" in capsys.readouterr().out
    again = json.loads((finished / "results.json").read_text())
    for row in (*rows, *again):
        del row["steps_per_second"]
    assert again == rows


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("noisy: {preset: commnet,", "noisy: {preset: comnet,"), "unknown preset 'comnet', did you mean 'commnet'?"),
        (("field: noise", "field: nois"), "unknown key 'comm.nois', did you mean 'noise'?"),
        (("protocols: [silent]", "protocols: [loud]"), "unknown protocol 'loud'"),
        (("sweeps:", "sweep:"), "unknown key 'sweep', did you mean 'sweeps'?"),
        (("run: {", "run: {lr: -1, "), "'lr' is -1"),
        (("values: [0, 3]", "values: []"), "'sweeps.1.values' is []"),
    ],
)
def test_mistakes_are_one_line_that_names_the_file(tmp_path, capsys, wrong, message):
    study = write(tmp_path / "wrong.yaml", TINY.replace(*wrong))
    assert study_main(["--config", str(study), "--run-dir", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error and "wrong.yaml" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", sorted((CONFIGS / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_can_be_read(path):
    assert len(list(programs(load_study(path, {})))) >= 3


def test_an_unknown_study_says_which_there_are(capsys):
    assert study_main(["--config", "nothing.yaml"]) == 1
    assert "under configs/studies/; there are imperfections.yaml" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="cannot read"):
        load_study(CONFIGS / "nothing.yaml", {})
