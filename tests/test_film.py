"""Films of episodes: what is seen is what was played, and a page shows it without anything else."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxmarl_comm import Batch, default_cfg, make_env, replay
from jaxmarl_comm.algorithms import Act
from jaxmarl_comm.cli import replay_main
from jaxmarl_comm.envs.mpe.simple_line import SimpleLine
from jaxmarl_comm.evaluation.episodes import CLEAR, MUTED, SHUFFLED, Actor, play
from jaxmarl_comm.film.shoot import chosen, message, says_words, shoot
from jaxmarl_comm.page.replay import film_page
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import Runner, teams_of
from jaxmarl_comm.trees import unstack
from learners import lively_run
from runs import call


def film_of(path, episodes=20):
    folder, cfg = RunFolder.open(path)
    runner = Runner(cfg, folder)
    team = unstack(teams_of(runner.algorithm, runner.load()[0]))[0]
    return shoot(cfg, runner.env, runner.algorithm, team, episodes)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return lively_run(tmp_path_factory.mktemp("runs") / "run", num_seeds=2)


@pytest.fixture(scope="module")
def film(reference):
    return film_of(reference)


def test_returns_are_those_of_what_is_seen(film):
    """simple_reference's reward, reckoned from the places and targets alone."""
    for episode in film["episodes"]:
        targets = np.array(episode["targets"])
        for take in episode["takes"]:
            agents = np.array(take["places"])[1:, :2]
            assert len(agents) == 25
            distance = np.linalg.norm(agents - targets, axis=-1)
            np.testing.assert_allclose(take["returns"][0], -distance.mean(axis=1).sum(), atol=0.05)
            assert take["success"] == [bool((distance[-1] < 0.1).all())]
            np.testing.assert_allclose(np.array(take["places"])[-1, 2:], np.array(take["places"])[0, 2:])


def test_takes_of_an_episode_start_alike_and_differ_in_what_is_heard(film):
    for episode in film["episodes"]:
        clear, muted, shuffled = episode["takes"]
        assert [take["name"] for take in (clear, muted, shuffled)] == ["as it is", "muted", "shuffled"]
        assert clear["places"][0] == muted["places"][0] == shuffled["places"][0]
        assert clear["messages"][0] == muted["messages"][0]  # said, whoever hears it
        assert clear["places"] != muted["places"] != shuffled["places"]


def test_the_best_the_median_and_the_worst_are_chosen(film):
    returns = [episode["takes"][0]["returns"][0] for episode in film["episodes"]]
    assert returns == sorted(returns, reverse=True) and len(set(returns)) == 3
    assert chosen(np.array([3.0, np.nan, 1.0, 2.0])) == {"best": 0, "median": 2, "worst": 1}


def test_messages_are_words_or_numbers_or_nothing():
    assert message(np.array([0.0, 0, 1]), True, word=True) == "C"
    assert message(np.eye(30)[20], True, word=True) == "#20"
    assert message(np.array([0.0, 0, 1]), True, word=False) == [0.0, 0.0, 1.0]
    assert message(np.array([0.0, np.nan, 1]), True, word=False) == [0.0, None, 1.0]
    assert message(np.zeros(3), True, word=False) == [0.0, 0.0, 0.0]
    assert message(np.zeros(3), False, word=False) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"comm.preset": "speech"}, True),
        ({"comm.preset": "speech", "env.continuous_actions": True}, False),
        ({"comm.preset": "gumbel"}, True),
        ({"comm.preset": "dial"}, False),
    ],
)
def test_the_config_says_whether_messages_are_words(changes, words):
    cfg = default_cfg().replace(changes)
    assert says_words(cfg, cfg.make_env()) == words


@pytest.mark.parametrize("treatment", [CLEAR, MUTED, SHUFFLED])
def test_success_is_judged_by_what_was_said_whatever_was_heard(treatment):
    """In simple_crypto the answers are words: here Bob is always right, and Eve never."""
    env = make_env("simple_crypto_v3")

    def act(key, state, obs, memory, intervene):
        right = state.choice[:, :1]
        actions = {"alice": right, "bob": right, "eve": (right + 1) % 4}
        return Act(actions, jnp.zeros((8, 3, 0)), jnp.zeros((8, 0, 3)), memory, {})

    actor = Actor(act, lambda num_envs: ())
    played = play(Batch(env, 8), actor, jax.random.key(0), treatment=jnp.array(treatment), hears_words=True)
    assert played.success.tolist() == [[True, False]] * 8
    assert (played.distance == 0).all() and (played.returns[:, 0] == 50).all()


def test_an_episode_that_ends_early_is_shown_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(SimpleLine, "solved", lambda self, state: state.t >= 4)
    changes = {"env.name": "simple_line_v1", "env.max_cycles": 9, "env.terminate_on_success": True}
    for episode in film_of(lively_run(tmp_path / "run", **changes))["episodes"]:
        for take in episode["takes"]:
            assert len(take["places"]) == 5 and len(take["messages"]) == 4


def test_a_silent_side_is_shown_with_its_opponent(tmp_path):
    changes = {"env.name": "simple_tag_v3", "comm.preset": "none", "opponents": {"good": "evader"}}
    film = film_of(lively_run(tmp_path / "run", **changes))
    assert film["speakers"] == [] and film["teams"] == ["adversary"] and len(film["agents"]) == 3
    labels = [shape["label"] for shape in film["scene"] if shape["kind"] == "agent"]
    assert labels == ["adversary_0", "adversary_1", "adversary_2", "agent_0"]
    assert [len(episode["takes"]) for episode in film["episodes"]] == [1, 1, 1]
    assert all(x is None for target in film["episodes"][0]["targets"] for x in target)


def shown(page):
    """The film that a page plays."""
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page).group(1))


def test_a_page_holds_its_film_and_needs_nothing_else(reference, film, tmp_path, capsys):
    page = replay(reference, episodes=20).read_text()
    assert shown(page) == json.loads(json.dumps(film))
    assert len(page) < 1_000_000 and "://" not in page and not re.search(r"(src|href)=\"(?!data:)", page)
    assert "{{" not in page
    assert call(replay_main, [reference, "--episodes", 20, "--seed", 1], capsys)[0] == 0
    assert (reference / "replay-2.html").exists()


def test_nothing_in_a_film_is_markup():
    page = film_page({"agents": ["</script><b>{{title}}"]}, "<i>", "{{subtitle}}")
    assert "</script><b>" not in page and "<i>" not in page and "&lt;i&gt;" in page
    assert shown(page)["agents"][0].startswith("</script>")


@pytest.mark.long
def test_a_gif_has_a_frame_for_each_step(reference, tmp_path):
    path = replay(reference, episodes=20, output=tmp_path / "film.gif")
    with Image.open(path) as picture:
        assert picture.format == "GIF" and picture.n_frames == 26
        first = np.array(picture.convert("L"))
        picture.seek(25)
        assert (np.array(picture.convert("L")) != first).any()
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--seed", "2"], "seed is 2, but .* has 2"),
        (["--episodes", "0"], "episodes is 0, but must be at least 2"),
        (["--output", "page.txt"], r"page.txt is no name .* \.html"),
    ],
)
def test_mistakes_are_told_in_one_line(reference, arguments, told, capsys):
    status, errors = call(replay_main, [reference, *arguments], capsys)
    assert status == 1 and errors.startswith("error: ") and errors.count("\n") == 1
    assert re.search(told, errors)


def test_a_task_without_places_is_not_filmed(reference, monkeypatch):
    monkeypatch.setattr("jaxmarl_comm.envs.mpe.task.MPETask.scene", ())
    with pytest.raises(RunError, match="nothing to be seen"):
        film_of(reference)


def test_keys_start_the_same_episodes_whoever_looks(film, reference):
    again = film_of(reference)
    assert jax.tree.all(jax.tree.map(lambda x, y: x == y, film, again))
