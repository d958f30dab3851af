"""Command lines: options, settings as options, and what is said to a mistyped one."""

import pytest

from jaxmarl_comm.cli import CONFIGS, evaluate_main, find_config, train_main
from jaxmarl_comm.config import load_config
from jaxmarl_comm.envs import ENVS
from jaxmarl_comm.options import Parser, field_overrides
from jaxmarl_comm.parsers import exploit_parser
from runs import call


def overrides(*words):
    return field_overrides(words, Parser())


def test_settings_are_options_with_either_dash():
    assert overrides("--num-envs", "8", "--comm.preset=none", "--lr", "1e-3") == {
        "num_envs": 8,
        "comm.preset": "none",
        "lr": "1e-3",
    }


def test_names_that_somebody_gave_stay_as_they_are_typed():
    typed = (
        "--net.groups.red-a.layer-norm",
        "true",
        "--agent-groups.red-a",
        "[agent_0]",
        "--teams.red-b.ent-coef",
        "0",
    )
    assert overrides(*typed) == {
        "net.groups.red-a.layer_norm": True, "agent_groups.red-a": ["agent_0"], "teams.red-b.ent_coef": 0
    }  # fmt: skip


def test_a_switch_needs_no_value():
    words = ("--control", "--env.continuous_actions", "--comm.gate_hold", "--share_params", "false")
    assert overrides(*words) == {
        "control": True,
        "env.continuous_actions": True,
        "comm.gate_hold": True,
        "share_params": False,
    }


def test_words_that_people_type_are_settings():
    words = "--iterations 7 --checkpoint-freq=5 --independent-policies --no-share-reward --no-anneal-lr --no-value-norm"
    assert overrides(*words.split(), "--no-comm.gate_hold", "--no-env.continuous_actions") == {
        "num_iters": 7,
        "checkpoint_interval": 5,
        "share_params": False,
        "reward_sharing": "individual",
        "lr_schedule": "constant",
        "value_norm": False,
        "comm.gate_hold": False,
        "env.continuous_actions": False,
    }
    assert overrides("--share-reward", "--anneal-lr") == {"reward_sharing": "shared", "lr_schedule": "linear"}


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["--num_iters", "1", "runs/x"], {"num_iters": 1}),
        (["--lr=1e-3", "--of_seeds", "0,1", "--control", "runs/x"], {"lr": "1e-3", "control": True}),
        (["--share_params", "false", "--anneal_lr", "runs/x"], {"share_params": False, "lr_schedule": "linear"}),
        (["runs/x", "--env.N", "5", "--side", "good"], {"env.N": 5}),
        (["--env.N", "5", "--env.continuous_actions", "runs/x"], {"env.N": 5, "env.continuous_actions": True}),
        (["runs/x", "--env.mode", "fast"], {"env.mode": "fast"}),
        (["--teams.good.lr", "0.1", "--iterations", "9", "--", "runs/x"], {"teams.good.lr": 0.1, "num_iters": 9}),
    ],
)
def test_settings_may_stand_before_the_run(words, settings):
    parser = exploit_parser()
    given, rest = parser.parse_beside_settings(words)
    assert str(given.run) == "runs/x" and field_overrides(rest, parser) == settings
    assert given.of_seeds == ([0, 1] if "--of_seeds" in words else None)
    assert given.side == ("good" if "--side" in words else "both")


def test_the_config_of_a_run_is_told_without_one(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train_main(["--config", "matd3_ref.yaml", "--tau=0.02", "--print-config"]) == 0
    (tmp_path / "told.yaml").write_text(capsys.readouterr().out)
    assert load_config(tmp_path / "told.yaml") == load_config(find_config("matd3_ref.yaml", CONFIGS), {"tau": 0.02})
    assert [path.name for path in tmp_path.iterdir()] == ["told.yaml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--share-reward", "yes"], "'--share-reward' takes no value: alone it is --reward_sharing shared"),
        (["--no-control=1"], "'--no-control' takes no value: alone it is --control false"),
        (["--no-lr"], "unknown option '--no-lr', did you mean '--lr'?"),
        (["--num-workers", "4"], "unknown option '--num-workers': here it is num_envs: environments"),
        (["--checkpoint-dir", "x"], "unknown option '--checkpoint-dir': here it is --run-dir: checkpoints lie"),
        (["--resume", "x", "--print-config"], "--print-config is of new runs"),
        (["--run_dri", "x"], "unknown option '--run_dri', did you mean '--run-dir'?"),
        (["--confg=x"], "unknown option '--confg', did you mean '--config'?"),
        (["--num_env", "3"], "unknown option '--num_env', did you mean '--num_envs'?"),
        (["--message_dim", "3"], "unknown option '--message_dim', did you mean '--comm.message_dim'?"),
        (["--comm.delya", "3"], "unknown key 'comm.delya', did you mean 'comm.delay'?"),
        (["--env", "simple_spread_v3"], "--env.name NAME (env: {name: NAME}) was meant"),
        (["--env", "simple_spread_v3", "--env.N", "5"], "--env.name NAME (env: {name: NAME}) was meant"),
        (["--comm", "tarmac"], "--comm.preset NAME (comm: {preset: NAME}) was meant"),
        (["--update-epochs", "4"], "unknown option '--update-epochs': here it is ppo_epochs"),
        (["--LR", "1"], "unknown option '--LR', did you mean '--lr'?"),
        (["--comm.comm_dim", "4"], "unknown key 'comm.comm_dim': here it is comm.message_dim"),
        (["--env.name", "discount"], "unknown task 'discount'; there are"),
        (["--lr"], "'--lr' needs a value"),
        (["--config", "mapo_ref"], "no config mapo_ref here or under configs/, did you mean 'mappo_ref'?"),
        (["--config", "x" * 5_000], "no config xxx"),
        (["--resume", "x" * 5_000], "error: "),
        (["fast"], "unexpected argument 'fast'"),
        (["--comm.preset", "[a]"], "unknown preset ['a']"),
        (["--lr", "9" * 5000], "'lr' is "),
        (["--comm", "{noise: 1, noise: 2}"], "'comm' is "),
        (["--env.nam", "x" * 2000], "unknown argument 'nam' of simple_reference_v3, did you mean 'name'?"),
    ],
)
def test_a_mistake_is_one_line_and_makes_no_folder(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = train_main(words)
    except SystemExit as exit:
        status = exit.code
    said = capsys.readouterr().err
    assert status and message in said and said.count("\n") == 1 and len(said) < 450
    assert not list(tmp_path.iterdir())


def test_several_mistakes_are_a_line_each(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("lr: fast\ngamma: 0.5\n")
    wrong = ["--config", "mine.yaml", "--num_env", "100", "--no-lr", "--gamma=2", "x", "--num_minibatches", "3"]
    status, errors = call(train_main, wrong, capsys)
    assert status == 2 and errors.splitlines() == [
        "error: unknown option '--num_env', did you mean '--num_envs'?",
        "error: unknown option '--no-lr', did you mean '--lr'?",
        "error: unexpected argument 'x'",
        "error: config mine.yaml: 'lr' is 'fast': input should be a valid number, unable to parse string as a number",
        "error: config mine.yaml: 'gamma' is 2: input should be less than or equal to 1 (see --help)",
    ]
    status, errors = call(train_main, ["--config", "mine.yaml", "--gamma", "2", "--pool_size", "0"], capsys)
    assert status == 1 and [line.split(" is ")[0] for line in errors.splitlines()] == [
        "error: config mine.yaml: 'lr'",
        "error: config mine.yaml: 'gamma'",
        "error: config mine.yaml: 'pool_size'",
    ]
    status, errors = call(evaluate_main, ["--run", "x", "--episods", "5", "y"], capsys)
    assert status == 2 and errors.splitlines() == [
        "error: unexpected argument 'y'",
        "error: unknown option '--episods', did you mean '--episodes'? (see --help)",
    ]


def test_what_is_missing_makes_no_mistakes_of_its_own(capsys):
    """As num_minibatches would not suit the usual num_envs."""
    status, errors = call(train_main, ["--num_env", "99", "--num_minibatches", "3"], capsys)
    assert (status, errors) == (2, "error: unknown option '--num_env', did you mean '--num_envs'? (see --help)\n")


def test_help_says_what_settings_may_be(capsys):
    with pytest.raises(SystemExit):
        train_main(["--help"])
    told = capsys.readouterr().out
    for limits in ("[mappo, ippo, maddpg or matd3]", "[at least 1]", "[0 to 1]", "[constant, linear or cosine]"):
        assert limits in told
    assert f"[{', '.join(list(ENVS)[:-1])} or {list(ENVS)[-1]}]" in told and "[none, speech, dial, " in told
    rows = [line for line in told.splitlines() if line.startswith("  --")]
    assert len(rows) > 100 and all(len(row.split()) > 2 for row in rows)


def test_underscores_and_typos_of_other_commands(capsys, tmp_path):
    for words, message in (
        (["--run", str(tmp_path), "--episodes_reference", "0"], "is not a run folder"),
        (["--run", str(tmp_path), "--episods", "5"], "did you mean '--episodes'?"),
    ):
        with pytest.raises(SystemExit):
            raise SystemExit(evaluate_main(words))
        assert message in capsys.readouterr().err
