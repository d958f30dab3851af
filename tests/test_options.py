"""Command lines: options, settings as options, and what is said to a mistyped one."""

import pytest

from jaxmarl_comm.cli import evaluate_main, train_main
from jaxmarl_comm.options import Parser, field_overrides


def overrides(*words):
    return field_overrides(words, Parser())


def test_settings_are_options_with_either_dash():
    assert overrides("--num-envs", "8", "--comm.preset=none", "--lr", "1e-3") == {
        "num_envs": 8,
        "comm.preset": "none",
        "lr": "1e-3",
    }


def test_a_switch_needs_no_value():
    words = ("--control", "--env.continuous_actions", "--comm.gate_hold", "--share_params", "false")
    assert overrides(*words) == {
        "control": True,
        "env.continuous_actions": True,
        "comm.gate_hold": True,
        "share_params": False,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
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


def test_underscores_and_typos_of_other_commands(capsys, tmp_path):
    for words, message in (
        (["--run", str(tmp_path), "--episodes_mpe2", "0"], "is not a run folder"),
        (["--run", str(tmp_path), "--episods", "5"], "did you mean '--episodes'?"),
    ):
        with pytest.raises(SystemExit):
            raise SystemExit(evaluate_main(words))
        assert message in capsys.readouterr().err
