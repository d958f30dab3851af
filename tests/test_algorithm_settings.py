"""Each algorithm has settings of its own: shown with a second algorithm, which nothing but the registry knows."""

import copy
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar, Literal

import pytest
from pydantic import Field

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.cli import QUICK_TEST, quick_test
from jaxmarl_comm.config import Config, ConfigError, as_config, default_cfg, load_config, silent_control
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.fields import describe_fields
from jaxmarl_comm.memory import check_memory, needed_bytes
from jaxmarl_comm.offpolicy_config import OffPolicyConfig
from jaxmarl_comm.options import Parser, field_overrides, fields_help
from jaxmarl_comm.ppo_config import PPOConfig
from jaxmarl_comm.registry import ALGORITHMS, Entry
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.settings import read_yaml

SHARE = {"algorithm": "tiny", "new_share": 0.5}


class TinyConfig(Config):
    """Settings of an algorithm that has none of PPO's but critic_lr, and another learning rate by default."""

    headings: ClassVar = {"averaging": ("new_share",)}

    algorithm: Literal["tiny"] = "tiny"
    lr: float = Field(1e-3, gt=0, description="Adam's learning rate at the start")
    new_share: float = Field(0.01, ge=0, le=1, description="weight of what is new")
    new_share_schedule: Literal["constant", "linear"] = Field("constant", description="how new_share changes")
    new_share_end: float = Field(0.0, description="share of new_share that is left")
    critic_lr: float | None = Field(None, description="of the critics")

    def check(self, env: Env) -> Iterator[str]:
        yield from super().check(env)
        if self.new_share > self.gamma:
            yield f"new_share ({self.new_share}) is more than gamma ({self.gamma}) in {env.name}"


def make_tiny(cfg, env):
    return cfg.new_share, env.name


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(ALGORITHMS, "tiny", Entry(f"{__name__}:TinyConfig", f"{__name__}:make_tiny"))


def test_a_config_is_of_its_algorithms_class(tmp_path):
    (tmp_path / "new_share.yaml").write_text("algorithm: tiny\nnew_share: 0.5\n")
    for cfg in (
        Config(**SHARE),
        as_config(SHARE),
        load_config(tmp_path / "new_share.yaml"),
        default_cfg().replace(SHARE),
    ):
        assert type(cfg) is TinyConfig and isinstance(cfg, Config) and cfg.new_share == 0.5 and cfg.num_envs == 512
    for cfg in (Config(), Config(algorithm="ippo"), default_cfg()):
        assert type(cfg) is PPOConfig and cfg.ppo_epochs == 2


def test_copies_are_of_the_same_class():
    cfg = Config(**SHARE)
    for same in (copy.deepcopy(cfg), pickle.loads(pickle.dumps(cfg)), cfg.model_copy(), TinyConfig(new_share=0.5)):
        assert type(same) is TinyConfig and same == cfg
    assert as_config(read_yaml(cfg.to_yaml())) == cfg


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ppo_epochs": 3, **SHARE}, "^'ppo_epochs' is a setting of mappo and ippo, not of tiny$"),
        (
            {"ppo_epochs": 2, "clip_param": 0.2, **SHARE},
            "^'ppo_epochs' and 'clip_eps' are settings of mappo and ippo, not",
        ),
        ({"new_share": 0.5}, "^'new_share' is a setting of tiny, not of mappo$"),
        ({"new_share": 0.5, "lrr": 1}, "^'new_share' is a setting of tiny, not of mappo; unknown key 'lrr', did you"),
        ({"algorithm": "tiny", "ppo_epoks": 3}, "unknown key 'ppo_epoks'"),
        ({"algorithm": "tiny", "new_shrae": 3}, "unknown key 'new_shrae', did you mean 'new_share'"),
        (
            {"algorithm": "tiny", "new_share": 0.9},
            r"^new_share \(0.9\) is more than gamma \(0.8\) in simple_reference_v3$",
        ),
        ({"algorithm": "tiny", "new_share": 2}, "'new_share' is 2: input should be less than or equal to 1"),
        (
            {"algorithm": "tiny", "new_share_end": 0.5},
            "new_share_end means nothing while new_share_schedule is constant",
        ),
        (
            {"algorithm": "tinny"},
            "'algorithm' is 'tinny': input should be 'mappo', 'ippo', 'maddpg', 'matd3' or 'tiny', did you mean 'tiny'",
        ),
        ({"algorithm": ["tiny"]}, r"'algorithm' is \['tiny'\]: input should be"),
        (
            {"env.name": "simple_adversary_v3", "teams": {"adversary": {"ent_coef": 0.1, "critic_lr": 0.1}}, **SHARE},
            "^in teams.adversary, 'ent_coef' is a setting of mappo and ippo, not of tiny$",
        ),
    ],
)
def test_a_setting_of_another_algorithm_is_one_error(settings, message):
    with pytest.raises(ConfigError, match=message):
        as_config(settings)


def test_many_settings_of_another_algorithm_are_still_one_line():
    of_ppo = r"; 'critic_input', .* and \d+ more are settings of mappo and ippo, not of tiny$"
    with pytest.raises(ConfigError, match=r"^'share_critics' and 'critic_id' are settings of mappo.*" + of_ppo):
        as_config({**default_cfg().model_dump(), "algorithm": "tiny"})


def test_a_class_refuses_an_algorithm_that_is_not_its_own():
    with pytest.raises(ConfigError, match="'algorithm' is 'mappo': input should be 'tiny'"):
        TinyConfig(algorithm="mappo")


def test_another_algorithm_brings_its_own_defaults_and_keeps_what_was_changed():
    cfg = default_cfg().replace({"num_iters": 7, "critic_lr": 0.1, "comm.noise": 0.5, "comm.preset": "tarmac"})
    now = cfg.replace(algorithm="tiny")
    assert (now.num_iters, now.critic_lr, now.lr, now.comm) == (7, 0.1, 1e-3, cfg.comm)
    back = now.replace({"algorithm": "mappo", "comm.preset": "commnet"})
    assert (back.lr, back.comm.preset, back.comm.noise, back.comm.rounds) == (5e-3, "commnet", 0.5, 1)
    assert cfg.replace(algorithm="tiny", lr=5e-3).lr == cfg.replace(lr=4e-3).replace(algorithm="tiny").lr + 1e-3 == 5e-3


def test_what_was_changed_and_is_not_of_the_new_algorithm_is_not_lost_silently():
    with pytest.raises(ConfigError, match=r"^'ppo_epochs' and 'clip_eps' are settings of mappo and ippo, not of tiny$"):
        default_cfg().replace({"ppo_epochs": 3, "clip_param": 0.3}).replace(algorithm="tiny")
    with pytest.raises(ConfigError, match=r"^'new_share' is a setting of tiny, not of ippo$"):
        Config(**SHARE).replace(algorithm="ippo")


def test_runs_know_their_algorithm(tmp_path):
    cfg = Config(**SHARE)
    RunFolder.create(tmp_path / "run", cfg)
    assert RunFolder.resume(tmp_path / "run", {"num_iters": 700})[1] == cfg.replace(num_iters=700)
    with pytest.raises(RunError, match=r"algorithm, .*differ"):
        RunFolder.resume(tmp_path / "run", default_cfg())
    assert make_algorithm(cfg, cfg.make_env()) == (0.5, "simple_reference_v3")
    silent = silent_control(cfg)
    assert type(silent) is TinyConfig and silent.new_share == 0.5 and silent.comm.preset == "none"


def test_what_updates_hold_is_asked_of_the_class():
    check_memory(Config(**SHARE))
    more = needed_bytes(default_cfg()).keys() - needed_bytes(Config(**SHARE)).keys()
    assert more == {"a minibatch", "a rollout as the critics see it"}


def test_a_quick_test_sets_what_the_algorithm_has():
    of_replay = {"batch_size", "buffer_size", "learning_delay", "replay_ratio"}
    assert QUICK_TEST.keys() - quick_test(default_cfg(), {}) == of_replay
    assert QUICK_TEST.keys() - quick_test(default_cfg(), {"algorithm": "matd3"}) == {"num_minibatches"}
    of_tiny = quick_test(default_cfg(), {"algorithm": "tiny"})
    assert of_tiny == quick_test(Config(**SHARE), {}) and QUICK_TEST.keys() - of_tiny == {"num_minibatches", *of_replay}


def test_help_says_whose_a_setting_is_and_what_it_may_be():
    sections = dict(part.split(":\n", 1) for part in fields_help().split("\n\n")[1:])
    assert set(sections) >= {
        "the run",
        "the task",
        "learning",
        "the channel",
        "PPO (mappo and ippo)",
        "averaging (tiny)",
    }
    assert "--env.N 5" in sections["the task"] and "--hidden_dim 64" in sections["networks"]
    assert "--lr 0.005 " in sections["learning"] and "--lr 0.001 " in sections["averaging (tiny)"]
    own = {"new_share", "new_share_schedule", "new_share_end", "lr", "critic_lr"}
    assert {each.key for each in describe_fields() if each.heading == "averaging (tiny)"} == own


def test_every_setting_is_described_once_unless_its_default_differs():
    usual = [each for each in describe_fields() if each.heading != "averaging (tiny)"]
    limits, times = {each.key: each.limits for each in usual}, Counter(each.key for each in usual)
    assert {key for key, count in times.items() if count > 1} == {"num_envs", "lr", "gamma"}
    fields = set(PPOConfig.model_fields) | set(OffPolicyConfig.model_fields)
    assert {key.partition(".")[0] for key in limits} == fields
    assert {each.heading for each in usual if each.key == "critic_lr"} == {"critics (mappo, ippo, maddpg and matd3)"}
    assert limits["lr_schedule"] == "constant, linear or cosine"
    assert limits["critic_lr"] == "above 0 or null" and limits["eval_episodes"] == "at least 2"
    assert limits["clip_eps_end"] == "above 0, at most 1" and limits["comm.rounds"] == "0 to 16"
    assert limits["share_critics"] == "team, group, agent or null" and limits["agent_groups"] == ""


def test_settings_of_every_algorithm_are_options():
    words = ["--new-share", "0.5", "--ppo-epochs", "3"]
    assert field_overrides(words, Parser()) == {"new_share": 0.5, "ppo_epochs": 3}


def test_help_does_without_jax():
    program = "import sys; from jaxmarl_comm.options import fields_help; fields_help(); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
