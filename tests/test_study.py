"""Studies: what is trained side by side, what is written, how one goes on after an interruption."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from jaxmarl_comm import default_cfg
from jaxmarl_comm.cli import CONFIGS, study_main
from jaxmarl_comm.config import ConfigError
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.study.config import load_study, programs
from jaxmarl_comm.study.curve import Curves
from jaxmarl_comm.study.folder import StudyFolder
from jaxmarl_comm.study.run import run_study, train_program

pytestmark = pytest.mark.long

TINY = """
run: {num_iters: 4, num_envs: 4, num_minibatches: 1, hidden_dim: 8, num_seeds: 2, log_interval: 2, eval_episodes: 20}
level: -1000
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


def test_populations_are_swept_one_value_after_the_other(tmp_path):
    text = TINY.replace("log_interval: 2", "log_interval: 1, evolution: {population_size: 3, evo_interval: 1}")
    swept = [program.values for program in programs(load_study(write(tmp_path / "study.yaml", text), {}))]
    assert swept == [[None], [0], [3]]


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
        assert len(row["return"]["of_each_seed"]) == 2 and row["env_steps"] == 400 and row["diverged"] == 0
        assert row["curve"]["env_steps"] == [200, 400] and len(row["curve"]["return"]["mean"]) == 2
        assert row["steps_to_level"] == {"level": -1000, "median": 200, "of_each_seed": [200, 200], "reached": 2}
        assert row["interval_over"] == "seeds" and row["untrained"]["return"]["mean"] != row["return"]["mean"]
    assert rows[0]["bits_per_step"]["mean"] is None and rows[1]["bits_per_step"]["mean"] == 64
    table = (finished / "table.md").read_text()
    assert "| noisy | noise = 3 |" in table and table.count("\n") == 5 and "0.00 M (2 of 2)" in table
    assert (finished / "study.png").read_bytes().startswith(b"\x89PNG")


def test_values_are_trained_with_their_own_noise(finished):
    rows = json.loads((finished / "results.json").read_text())
    assert rows[1]["return"]["of_each_seed"] != rows[2]["return"]["of_each_seed"]


@pytest.mark.slow
def test_side_by_side_is_as_one_by_one(finished, tmp_path):
    """Noise 0 beside noise 3 is what a study without noise finds."""
    alone = TINY.replace("[0, 3]", "[0]")
    folder = StudyFolder.create(tmp_path / "alone", load_study(write(tmp_path / "alone.yaml", alone), {"seed": 3}))
    rows = run_study(folder.open(folder.path)[1], folder, tell=lambda line: None)
    beside = json.loads((finished / "results.json").read_text())
    np.testing.assert_allclose(rows[1]["return"]["of_each_seed"], beside[1]["return"]["of_each_seed"], rtol=1e-3)


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
    ("was", "becomes", "message"),
    [
        ("hidden_dim: 8", "hidden_dim: 16", "silent: hidden_dim differ"),
        ("message_dim: 2", "message_dim: 4", "noisy, noise 0: comm.message_dim differ"),
        ("level: -1000", "level: -2", "silent: level differs"),
        ("silent", "quiet", "silent: not in the study"),
    ],
)
def test_a_study_with_other_settings_does_not_go_on(finished, tmp_path, capsys, was, becomes, message):
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace(was, becomes))
    assert study_main(["--resume", str(folder)]) == 1
    error = capsys.readouterr().err
    assert f"{folder} holds results of other settings than its study.yaml: {message}; undo" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("key", ["config", "success", "untrained", "steps_per_second", "bits_per_step"])
@pytest.mark.parametrize("wrong", [None, "1"])
def test_foreign_results_are_one_line(finished, tmp_path, capsys, key, wrong):
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    rows = json.loads((folder / "results.json").read_text())
    rows[-1][key] = wrong
    (folder / "results.json").write_text(json.dumps(rows))
    assert study_main(["--resume", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "results.json is damaged, or of an older version" in error and error.count("\n") == 1


def test_the_last_chunk_is_as_long_as_what_is_left(monkeypatch):
    lengths = []

    def idle_chunk(algorithm, state, length):
        lengths.append(length)
        return lambda state: (state + length, {"first_bad": np.full(2, -1)})

    monkeypatch.setattr("jaxmarl_comm.study.run.compile_chunk", idle_chunk)
    cfg = default_cfg().replace({"num_iters": 5, "log_interval": 2, "num_envs": 4, "num_minibatches": 1})
    state, learned, _ = train_program(SimpleNamespace(cfg=cfg), None, np.zeros(()))
    assert (state, lengths, learned.env_steps.tolist()) == (5, [2, 1], [200, 400, 500])


@pytest.fixture(scope="module")
def run_away(tmp_path_factory):
    """Learning rate -> (folder, rows) of a study with it."""

    def run(lr):
        folder = tmp_path_factory.mktemp("studies")
        study = yaml.safe_load(TINY) | {"sweeps": [{"protocols": ["noisy"]}]}
        study["run"] |= {"lr": lr, "num_iters": 2, "log_interval": 1, "lr_schedule": "constant"}
        assert (
            study_main(
                ["--config", str(write(folder / "s.yaml", yaml.safe_dump(study))), "--run-dir", str(folder / "out")]
            )
            == 0
        )
        return folder / "out", json.loads((folder / "out" / "results.json").read_text())

    return run


def test_seeds_that_diverge_are_a_row_that_says_so(run_away, capsys):
    folder, (row,) = run_away(1e30)
    assert row["diverged"] == 2 and row["warnings"][0].startswith("2 of 2 seeds diverged")
    assert row["return"] == {"mean": None, "low": None, "high": None, "of_each_seed": [None, None]}
    assert row["steps_to_level"]["reached"] == 0 and row["protocol_fraction"] == 0
    assert "diverged" in (folder / "table.md").read_text()
    assert study_main(["--resume", str(folder)]) == 0
    assert "done before" in capsys.readouterr().out


def test_a_collapse_is_not_a_success(run_away):
    _, (row,) = run_away(1e2)
    assert row["diverged"] == 0
    assert any("approx_kl" in warning for warning in row["warnings"])
    assert any("did not learn" in warning for warning in row["warnings"])


def curves(returns, first_bad):
    """Of runs whose returns are `[C][R]`, each chunk being 100 steps long."""
    chunks = [{"return": np.array(x), "first_bad": np.array(bad)} for x, bad in zip(returns, first_bad, strict=True)]
    return Curves.gather([100 * (k + 1) for k in range(len(chunks))], chunks)


def test_a_seed_that_was_ever_not_finite_has_diverged():
    """Even if its last chunk looks well."""
    env, found = make_env("simple_reference_v3"), curves([[-20.0, -30.0], [-10.0, -12.0]], [[-1, 3], [-1, -1]])
    assert found.diverged.tolist() == [False, True]
    assert found.report(env)["return"] == {"mean": [-20, -10], "of_each_seed": [[-20, -10], [-30, -12]]}
    assert found.rows() == [{"return": [-20]}, {"return": [-10]}]


def test_steps_to_a_level_are_those_from_which_a_seed_stays_there():
    returns = [[-9.0, -20.0, -20.0], [-20.0, -9.0, -20.0], [-9.0, -9.5, -20.0]]
    found = curves(returns, [[-1] * 3] * 3).steps_to_level(make_env("simple_reference_v3"), -10.0)
    assert found == {"level": -10, "median": 300, "of_each_seed": [300, 200, None], "reached": 2}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("noisy: {preset: commnet,", "noisy: {preset: comnet,"), "unknown preset 'comnet', did you mean 'commnet'?"),
        (("field: noise", "field: nois"), "unknown key 'comm.nois', did you mean 'comm.noise'?"),
        (("protocols: [silent]", "protocols: [loud]"), "unknown protocol 'loud'"),
        (("sweeps:", "sweep:"), "unknown key 'sweep', did you mean 'sweeps'?"),
        (("run: {", "run: {lr: -1, "), "'lr' is -1"),
        (("values: [0, 3]", "values: []"), "'sweeps.1.values' is []"),
        (("field: noise, values: [0, 3]", "values: [0, 3]"), "a sweep has values, but no field"),
        (("values: [0, 3]", "values: [0, 3, 0.0]"), "the sweep of noise has the value 0 twice"),
        (("noise, values: [0, 3]", "bits, values: [1, 2]"), "comm.bits changes nothing in protocol 'noisy'"),
        (
            ("  - {protocols: [silent]}\n  - {field: noise, values: [0, 3], protocols: [noisy]}", " []"),
            "'sweeps' is []",
        ),
    ],
)
def test_mistakes_are_one_line_that_names_the_file(tmp_path, capsys, wrong, message):
    study = write(tmp_path / "wrong.yaml", TINY.replace(*wrong))
    assert study_main(["--config", str(study), "--run-dir", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error and "wrong.yaml" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


VARIANTS = """
run: {comm: {preset: commnet}}
variants:
  as it is: {}
  alone: {algorithm: ippo, agent_groups: agent, net.hidden: [8]}
"""


def test_variants_change_any_setting_and_are_swept_as_protocols_are(tmp_path):
    sweeps = "sweeps: [{}, {field: noise, values: [0, 1], protocols: [alone]}]"
    plain, alone, noisy = programs(load_study(write(tmp_path / "variants.yaml", VARIANTS + sweeps), {"lr": 0.1}))
    assert (plain.protocol, alone.protocol, noisy.values) == ("as it is", "alone", [0, 1])
    assert plain.cfg == default_cfg().replace(lr=0.1)
    assert alone.cfg == plain.cfg.replace({"algorithm": "ippo", "agent_groups": "agent", "net.hidden": [8]})
    assert noisy.cfg.algorithm == "ippo" and noisy.cfg.comm.noise == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: {}", "nothing is compared: 'protocols' or 'variants' must name what is"),
        (VARIANTS + "protocols: {alone: {preset: none}}", "'alone' names a protocol and a variant"),
        (VARIANTS + "  far: {env.N: 3}", "'far' changes env.N, but a study is of one task"),
        (VARIANTS + "  fast: {learning_rate: 3}", "unknown key 'learning_rate': here it is lr"),
    ],
)
def test_variants_that_cannot_be_are_said(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_study(write(tmp_path / "wrong.yaml", text), {})


@pytest.mark.parametrize("path", sorted((CONFIGS / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_can_be_read(path):
    assert len(list(programs(load_study(path, {})))) >= 3


def test_an_unknown_study_says_which_there_are(capsys):
    assert study_main(["--config", "nothing.yaml"]) == 1
    assert "there are ablations, evolution, imperfections, microgrid, protocols_reference" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="cannot read"):
        load_study(CONFIGS / "nothing.yaml", {})
