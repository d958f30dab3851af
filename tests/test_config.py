"""The config object: defaults, aliases, presets, and one clear line for each mistake."""

from pathlib import Path

import pytest

from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.config import ConfigError, default_cfg, differing_keys, load_config
from jaxmarl_comm.fields import describe_fields
from jaxmarl_comm.synonyms import CONVERTED, RENAMED

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


def test_fields_that_users_ask_for_are_there():
    cfg = default_cfg()
    asked = "rollout_len num_envs ppo_epochs clip_param entropy_coef num_iters lr hidden_dim log_interval "
    for name in (asked + "eval_episodes eval_interval").split():
        assert getattr(cfg, name) is not None


@pytest.mark.parametrize(("alias", "name"), [("clip_param", "clip_eps"), ("entropy_coef", "ent_coef")])
def test_an_alias_and_its_name_cannot_drift_apart(alias, name):
    cfg = default_cfg()
    for key in (alias, name):
        changed = cfg.replace({key: 0.123})
        assert getattr(changed, alias) == getattr(changed, name) == 0.123
    with pytest.raises(ConfigError, match="same setting"):
        cfg.replace({alias: 0.1, name: 0.2})


def test_the_config_is_frozen():
    with pytest.raises(Exception, match="frozen"):
        default_cfg().lr = 1.0


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_brings_its_settings_and_yields_to_overrides(preset):
    comm = default_cfg().replace({"comm.preset": preset}).comm
    for name, value in PRESETS[preset].items():
        assert getattr(comm, name) == value
    assert default_cfg().replace({"comm.preset": preset, "comm.message_dim": 3}).comm.message_dim == 3


def test_another_preset_takes_nothing_of_the_old_one_but_overrides():
    cfg = default_cfg().replace({"comm.preset": "tarmac", "comm.noise": 0.5}).replace({"comm.preset": "gumbel"})
    assert cfg.comm == CommConfig(preset="gumbel", noise=0.5)


@pytest.mark.parametrize("preset", PRESETS)
def test_another_preset_upon_a_whole_config_is_as_upon_a_short_one(preset, tmp_path):
    """A run's own config.yaml says every field: the label alone must not change."""
    ran = default_cfg().replace({"comm.preset": "tarmac", "comm.noise": 0.5})
    (tmp_path / "config.yaml").write_text(ran.to_yaml())
    wanted = default_cfg().replace({"comm.noise": 0.5})
    changes = {"comm.preset": preset, **({"comm.noise": 0.0} if preset in ("none", "speech") else {})}
    found = load_config(tmp_path / "config.yaml", changes)
    assert found.comm == wanted.replace(changes).comm and found.comm.preset == preset


def test_numbers_may_be_written_as_yaml_reads_them():
    assert default_cfg().replace(lr="3e-4").lr == 3e-4


def test_a_config_survives_its_own_yaml(tmp_path):
    cfg = default_cfg().replace({"env.name": "simple_spread_v3", "env.N": 4, "lr": 1e-3})
    path = tmp_path / "config.yaml"
    path.write_text(cfg.to_yaml())
    assert differing_keys(load_config(path), cfg) == []
    assert differing_keys(load_config(path, {"env.N": 5}), cfg) == ["env.N"]


def test_what_others_call_a_setting_leads_to_one_that_there_is():
    fields = {key for key, *_ in describe_fields()}
    assert set(RENAMED.values()) <= fields and not (set(RENAMED) | set(CONVERTED)) & fields


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_yaml_is_valid_and_short(path):
    load_config(path)
    assert len(path.read_text().splitlines()) < 40


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_env": 8}, "unknown key 'num_env', did you mean 'num_envs'?"),
        ({"clip_parm": 0.1}, "unknown key 'clip_parm', did you mean 'clip_param'?"),
        ({"comm.max_message_dim": 4}, "comm.max_message_dim is 4, but comm.message_dim is 8"),
        ({"comm.preset": "gumbel", "comm.max_message_dim": 20}, "comm.discretise is gumbel: messages are words"),
        ({"comm.message_dims": 4}, "unknown key 'comm.message_dims', did you mean 'comm.message_dim'?"),
        ({"clip_coef": 0.1}, "unknown key 'clip_coef': here it is clip_eps"),
        ({"use_mixed_precision": True}, "unknown key 'use_mixed_precision': here it is net.precision: bfloat16"),
        ({"n_agents": 3}, "unknown key 'n_agents': here it is the task's: env.N"),
        ({"minibatch_size": 8}, "here it is num_minibatches: num_envs \\* rollout_len / minibatch_size"),
        ({"num_envs": 0}, "'num_envs' is 0: input should be greater than or equal to 1"),
        ({"lr": "fast"}, "'lr' is 'fast': input should be a valid number"),
        ({"num_envs": 100, "num_minibatches": 16}, "num_envs \\(100\\) must be a multiple of num_minibatches \\(16\\)"),
        ({"comm.preset": "comnet"}, "unknown preset 'comnet', did you mean 'commnet'?"),
        ({"env.name": "simple_refrence_v3"}, "unknown task 'simple_refrence_v3', did you mean 'simple_reference_v3'?"),
        (
            {"env.local_ration": 0.5},
            "unknown argument 'local_ration' of simple_reference_v3, did you mean 'local_ratio'",
        ),
        ({"env.local_ratio": 2}, "local_ratio is 2, but must lie between 0 and 1"),
        ({"env.max_cycles": 0}, "'max_cycles' of simple_reference_v3 is 0, but must be at least 1"),
        ({"env.continuous_actions": "maybe"}, "'continuous_actions' of simple_reference_v3 is 'maybe'"),
        ({"env": 3}, "'env' is 3"),
        ({"train_env": 3}, "'train_env' is 3"),
        ({"train_env.local_ration": 1}, "^train_env: unknown argument 'local_ration' of simple_reference_v3, did you"),
        ({"train_env.name": "simple_v3"}, "'name' is that of env, simple_reference_v3: only its arguments may be"),
        (
            {"env.name": "simple_spread_v3", "train_env.N": 4},
            "4 agents learn simple_spread_v3 together, but 3",
        ),
        (
            {"train_env.continuous_actions": True},
            "agents that learn simple_reference_v3 see or do something",
        ),
        ({"comm.preset": "none", "comm.noise": 1}, "comm.noise acts on the channel, but 'none' has none"),
        ({"comm.preset": "none", "comm.bit_price": 1}, "comm.bit_price acts on the channel"),
        ({"comm.bit_flip": 0.1}, "comm.bit_flip needs messages made of bits"),
        (
            {"comm.preset": "g2anet", "comm.discretise": "gumbel"},
            "sends keys beside messages, but comm.discretise",
        ),
        ({"comm.preset": "tarmac", "comm.heads": 3}, "message_dim \\(8\\) must be a multiple of comm.heads \\(3\\)"),
        ({"comm.route": "matrix"}, "comm.route: matrix and comm.route_matrix go together"),
        (
            {"comm.route": "matrix", "comm.route_matrix": [[0, 1]]},
            "comm.route_matrix must have 2 rows of 2 numbers, one for each agent",
        ),
        ({"comm.route": "matrix", "comm.route_matrix": [[1, 1], [1, 0]]}, "nobody hears itself"),
        ({"comm.gate": "top_k", "comm.gate_k": 3}, "comm.gate_k is 3, but must be at most 2"),
        ({"comm.gate_hold": True}, "comm.gate_hold needs comm.gate: every_n"),
        ({"comm.speech": "reinforced"}, "agents talk either by words or over a channel"),
        ({"env.name": "simple_crypto_v3"}, "all that the agents of simple_crypto_v3 can do is to speak"),
        ({"comm.signalling_coef": 1}, "comm.signalling_coef needs words"),
        ({"comm.listening_coef": 1, "env.continuous_actions": True}, "needs discrete actions"),
        ({"env.name": "simple_spread_v3", "comm.preset": "speech"}, "nobody can speak in simple_spread_v3"),
        ({"comm.loss": 1.5}, "'comm.loss' is 1.5"),
        ({"comm.noise": float("nan")}, "'comm.noise' is nan: input should be a finite number"),
        ({"lr": float("inf")}, "'lr' is inf: input should be a finite number"),
        ({"env.local_ratio": float("nan")}, "'local_ratio' of simple_reference_v3 is nan: Input should be a finite"),
        ({"comm.preset": ["a"]}, r"unknown preset \['a'\]"),
        ({"comm.rounds": 10**6}, "'comm.rounds' is 1000000: input should be less than or equal to 16"),
        ({"comm.temperature": 1e-30}, "'comm.temperature' is 1e-30: input should be greater than or equal to 0.001"),
        ({"num_envs": True}, "'num_envs' is True: input should be a number"),
        ({"num_iters": 10**21}, "'num_iters' is 1000000000000000000000: input should be less than 2147483648"),
        ({"num_iters": 10**5000}, "'num_iters' is a number of 16,610 bits"),
        ({"seed": 2**32}, "'seed' is 4294967296: input should be less than 4294967296"),
        ({"env.name": "simple_spread_v3", "env.N": 10**6}, "N is 1000000, but must be at least 1 and at most 1000"),
        ({"env.name": "simple_spread_v3", "env.N": True}, "argument 'N' of simple_spread_v3 is True"),
        ({"env.name": "simple_spread_v3", "env.num_agent_neighbors": 10**9}, "must be at least 1 and at most 1000"),
        ({"env.name": "simple_tag_v3", "env.num_good": 10**30}, "num_good is 10{30}, but must be .* at most 1000"),
        ({"env.max_cycles": 2**31}, "max_cycles' of simple_reference_v3 is 2147483648, but must be .* at most"),
        ({"env": "simple_spread_v3"}, "'env' is 'simple_spread_v3', but holds settings: --env.name NAME"),
        ({"lr.x": 1}, "'lr.x' cannot be set: 'lr' is 0.005, not a section"),
        ({"x" * 5000: 1}, "unknown key 'xxx"),
        ({f"@{k}": 1 for k in range(30)}, "unknown key '@19'; and 10 more mistakes"),
    ],
)
def test_a_mistake_is_one_clear_line(changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        default_cfg().replace(changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "mistakes"),
    [
        (  # of single settings, wherever they are
            {
                "lrr": 1,
                "gamma": 2,
                "num_envs": 100,
                "comm.noise": -1,
                "env": 3,
                "tau": 1,
                "clip_param": 1,
                "clip_eps": 2,
            },
            ["'clip_param' and", "'env' is 3", "'tau' is a setting of", "'comm.noise' is", "'gamma' is", "unknown key"],
        ),
        (  # of settings that do not go together
            {"num_envs": 100, "ent_coef_end": 0.1, "clip_eps_end": 0.3, "pool_size": 3, "control": True},
            [
                "clip_eps_end means nothing",
                "ent_coef_end means nothing",
                "num_envs (100) must",
                "pool_size means nothing",
            ],
        ),
        (
            {"comm.preset": "none", "comm.noise": 1, "comm.bit_price": 1, "comm.heads": 3},
            ["comm.noise acts on", "comm.bit_price acts on", "comm.message_dim (8) must"],
        ),
        ({"env.a": 1, "env.local_ratio": "x"}, ["unknown argument 'a'", "argument 'local_ratio' of"]),
        (
            {
                "algorithm": "matd3",
                "net.memory": "gru",
                "net.critic_memory": "gru",
                "batch_size": 1,
                "expl_noise_end": 0.3,
            },
            [
                "net.critic_memory must be none",
                "batch_size (1) must be at least the 25",
                "expl_noise_end means nothing",
            ],
        ),
    ],
)
def test_several_mistakes_are_told_in_one_go(changes, mistakes):
    with pytest.raises(ConfigError) as error:
        default_cfg().replace(changes)
    assert len(error.value.mistakes) == len(mistakes), error.value.mistakes
    for told, expected in zip(error.value.mistakes, mistakes, strict=True):
        assert told.startswith(expected) and "\n" not in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr: [1", "not valid YAML: line"),
        ("- 1", "must be a mapping"),
        ("lrr: 1", "c.yaml: unknown key 'lrr'"),
        ("lr: 1\nseed: 1\nlr: 2", "c.yaml: not valid YAML: line 3: 'lr' is given twice"),
        ("comm: {noise: 1, noise: 2}", "line 1: 'noise' is given twice"),
        ("a: " + "[" * 10_000, "not valid YAML: too deeply nested"),
        ("seed: 2024-13-45", "not valid YAML: month must be"),
        ("1: 2", "c.yaml: unknown key 1: keys are words"),
        ("env: simple_spread_v3", "but holds settings"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config .*none\.yaml: cannot read it: No such file"):
        load_config(tmp_path / "none.yaml")
