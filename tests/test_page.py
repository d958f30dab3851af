"""Pages: they say what a run's files say, hold nothing that could run or be fetched, and any kind of run has one."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest

from jaxmarl_comm import default_cfg, make_report
from jaxmarl_comm.cli import report_main as main
from jaxmarl_comm.files import RunError
from jaxmarl_comm.film.hearing import hears, hears_at
from jaxmarl_comm.page.markup import data, tag
from jaxmarl_comm.page.numbers import MINUS, NOTHING
from jaxmarl_comm.page.reading import read_run
from jaxmarl_comm.page.report import report_page
from jaxmarl_comm.page.settings import changed, differing
from jaxmarl_comm.page.verdict import verdict
from jaxmarl_comm.report.table import labels
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner
from jaxmarl_comm.study.config import StudyConfig, programs
from jaxmarl_comm.study.folder import StudyFolder
from runs import call

EVIL = "</script></title><script>alert(1)</script><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "input", "img", "br"}


class Page(HTMLParser):
    """A page as a browser takes it apart. Raises AssertionError for a tag that is closed where it is not open."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.scripts, self.texts, self.links = [], [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, name, attributes):
        attributes = dict(attributes)
        self.tags.append((name, attributes))
        self.links += [attributes[key] for key in ("src", "href") if key in attributes]
        if name not in VOID:
            self.open.append((name, attributes))

    def handle_endtag(self, name):
        assert self.open.pop()[0] == name

    def handle_data(self, text):
        name, attributes = self.open[-1] if self.open else ("", {})
        if name == "script":
            self.scripts.append((attributes.get("type"), text))
        elif name != "style":
            self.texts.append(text)

    @property
    def said(self):
        return " ".join(" ".join(self.texts).split()).replace(MINUS, "-")

    @property
    def data(self):
        """What lies in the page for its script to read."""
        return [json.loads(text) for kind, text in self.scripts if kind == "application/json"]


def found(*seeds, width=0.1):
    known = [x for x in seeds if x is not None]
    mean = sum(known) / len(known) if known else None
    low, high = (None, None) if mean is None else (mean - width, mean + width)
    return {"mean": mean, "low": low, "high": high, "of_each_seed": list(seeds)}


def evaluation_of(cfg, talks=True, **more):
    """One as `evaluate_teams` would make it, of numbers that nobody trained for."""
    env = cfg.make_env()
    teams = list(env.team_names)
    measures = {name: found(0.5, 0.75) for name in labels(teams)} if talks else {}
    returns = {"return": -7.5, "return_sampled": -8.0, "return_muted": -17.25, "return_shuffled": -18.5}
    names = [name for name in labels(teams) if name.startswith("return")]
    measures |= {name: found(*[returns.get(name.removesuffix("_good"), -9.0)] * 2) for name in names}
    measures |= {"message_information_by_step": found(1.0, 1.1)} if talks else {}
    undefined = {name: found(None, None) for name in labels(teams) if name not in measures}
    worse = {name: {} for base in ("return_with_noise", "return_with_loss") for name in env.per_team(base)}
    return {
        **undefined,
        **measures,
        **worse,
        "untrained": {name: found(-26.0, -27.0) for name in env.per_team("return")}
        | {"message_information_by_step": found(0.1, 0.3)},
        "baselines": {"random": {name: found(-28.0) for name in env.per_team("return")}},
        "control": None,
        "ladder": env.ladder and env.ladder._asdict(),
        "message_table": None,
        "protocol_fraction": 1.0 if talks else None,
        "protocol_interval": [0.34, 1.0] if talks else None,
        "warnings": [],
        "teams": teams,
        "interval_over": "seeds",
        "episodes": 20,
        "episodes_reference": 4,
        "env_steps": 1_000_000,
        "seconds": {"compile": 1.0, "train": 120.0, "evaluate": 2.0},
        **more,
    }


def rows_of(cfg, returns=((-20.0, -21.0), (-9.0, -10.0), (-7.0, -8.0))):
    names = cfg.make_env().per_team("return")
    return [
        {"iteration": 2 * k, "env_steps": k * 100_000, "param_norm": [1.0, 2.0], **{name: [*seeds] for name in names}}
        for k, seeds in enumerate(returns, start=1)
    ]


def run_of(path, evaluation=None, rows=None, **changes):
    """A run's folder as training leaves it. evaluation: what it differs in; False: there is none."""
    cfg = default_cfg().replace({"num_iters": 6, "num_seeds": 2, **changes})
    folder = RunFolder.create(path, cfg)
    lines = [json.dumps(row) + "\n" for row in (rows_of(cfg) if rows is None else rows)]
    folder.metrics.write_text("".join(lines))
    for k, line in enumerate(lines, start=1):
        folder.append_clock(json.loads(line)["iteration"], 30.0 * k)
    if evaluation is not False:
        folder.write_json(folder.evaluation, evaluation_of(cfg, cfg.comm.preset != "none", **evaluation or {}))
    return path


def page_of(*paths, films=None):
    html = report_page([read_run(path) for path in paths], films)
    assert len(html.encode()) < 1_000_000 and "://" not in html and "{{" not in html
    page = Page(html)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    (script,) = [text for kind, text in page.scripts if kind is None]
    policy = next(x["content"] for name, x in page.tags if name == "meta" and "http-equiv" in x)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    return page


@pytest.fixture
def talking(tmp_path):
    table = {"symbols": [3, 5], "counts": [[30, 10, 0], [0, 0, 60]], "messages": [], "n": 100, "information": 0.7}
    noisy = {"return_with_noise": {"0.5": found(-8.0, -9.0), "2.0": found(-12.0, -13.0)}, "return_with_loss": {}}
    control = {"return": found(-16.8, -16.6), "source": "elsewhere", "env_steps": 9, "interval_over": "seeds"}
    more = {"value_of_talk": found(9.2, 9.2), "warnings": ["seed 1 is odd"], "message_table": {"agent_0": table}}
    return run_of(tmp_path / "talking", {**more, **noisy, "control": control}, lr=1e-3)


def test_a_page_says_what_the_files_say(talking):
    said = page_of(talking).said
    for told in (
        "Does it talk? \N{CHECK MARK} Yes 2 of 2 seeds formed a protocol",
        "messages tell 1.05 [0.95, 1.15] of 1.10 nats; an untrained team's tell 0.20 [0.10, 0.30]",
        "Return: -7.50 as it is, -17.25 muted, -18.50 shuffled.",
        "What would silence make? \N{CHECK MARK} 9.20 less A silent team trained as long returns -16.70",
        "seed 1 is odd",
        "scripted team: random -28.00 [-28.10, -27.90] untrained -26.50",
        "as it is -7.50 [-7.60, -7.40] messages muted -17.25 [-17.35, -17.15] messages shuffled",
        "agent_0: 100 messages, I(m; goal) = 0.70 nats",
        "3 75% 25% 0% 40.0 % 5 0% 0% 100% 60.0 %",
        "success 62.5 % [52.5 %, 72.5 %] 50.0 %, 75.0 %",
        "lr 0.001 0.005 Adam's learning rate at the start",
        "Trained with not known",
        "compile 1.0 s, train 2 min",
    ):
        assert told in said, told


def test_curves_are_the_metrics_and_stand_beside_their_yardsticks(talking):
    main, others, worse = page_of(talking).data
    (chart,) = main["charts"]
    assert main["switches"] == ["seed 0", "seed 1"] and main["by"] == "seed"
    (line,) = chart["lines"]
    assert line["x"] == [0.1, 0.2, 0.3] and line["y"] == [[-20, -21], [-9, -10], [-7, -8]]
    assert line["minutes"] == [0.5, 1, 1.5]
    expected = {"silent optimum": -16.65, "oracle": -7.13, "trained silent team": -16.7}
    assert chart["levels"] == pytest.approx(expected)
    assert [chart["title"] for chart in others["charts"]] == ["param norm"]
    assert [(line["x"], line["y"]) for chart in worse["charts"] for line in chart["lines"]] == [
        ([0, 0.5, 2], [[-7.5, -7.5], [-8, -9], [-12, -13]])
    ]


def test_dots_lie_where_their_numbers_are(talking):
    """On one scale for all rows: between two means, a third divides the way as it does between the numbers."""
    rows, at = {}, [x for x in page_of(talking).tags if x[1].get("class") == "mean"]
    for _, attributes in at:
        label, _, number = attributes["title"].rpartition(": ")
        rows.setdefault(label, (float(attributes["style"][5:-1]), float(number.split()[0].replace(MINUS, "-"))))
    (muted, x), (shuffled, y), (clear, z) = (
        rows[name] for name in ("messages muted", "messages shuffled: another episode's", "as it is")
    )
    assert (muted - shuffled) / (clear - shuffled) == pytest.approx((x - y) / (z - y), abs=1e-3)


@pytest.mark.parametrize(
    ("evaluation", "words"),
    [
        ({"protocol_fraction": 0.5}, ["Some seeds do", "Yes", "At least 9.15 less"]),
        ({"protocol_fraction": 0.0, "return": found(-17.0)}, ["Not to any use", "Yes", "Not known"]),
        ({"protocol_fraction": None}, ["Yes", "Yes", "At least 9.15 less"]),
        ({"protocol_fraction": None, "message_information_by_step": found(0.21)}, ["No sign of it", "Yes"]),
        ({"messages_per_episode": found(0.0)}, ["No", "Yes"]),
        ({"listening_tv_shuffled": found(0.0), "return_shuffled": found(-7.5)}, ["Yes", "No"]),
        ({"listening_tv_shuffled": found(0.01), "return_shuffled": found(-7.5)}, ["Yes", "Hardly"]),
        ({"listening_tv_shuffled": found(0.01)}, ["Yes", "Yes"]),
    ],
)
def test_the_verdict_goes_by_the_numbers(tmp_path, evaluation, words):
    answers = verdict(read_run(run_of(tmp_path / "run", evaluation)))
    assert [answer.word for answer in answers][: len(words)] == words


@pytest.mark.parametrize(
    ("value", "word", "kind"), [(3.0, "3.00 less", "yes"), (0.05, "0.05 less", "open"), (-3.0, "3.00 more", "no")]
)
def test_what_talk_is_worth_goes_by_the_control(tmp_path, value, word, kind):
    control = {"return": found(-9.0), "source": "elsewhere", "env_steps": 9, "interval_over": "seeds"}
    answer = verdict(read_run(run_of(tmp_path / "run", {"control": control, "value_of_talk": found(value)})))[2]
    assert (answer.word, answer.kind) == (word, kind)


# What a page must never do.


def test_nothing_that_comes_from_a_run_is_read_as_markup(tmp_path):
    table = {"symbols": [0], "counts": [[1, 2]], "messages": [], "n": 3, "information": None}
    control = {"return": found(-9.0), "source": EVIL, "env_steps": 9, "interval_over": EVIL}
    evil = {"warnings": [EVIL], "interval_over": EVIL, "control": control, "value_of_talk": found(1.0)}
    evil |= {"message_table": {EVIL: table}, "baselines": {EVIL: {"return": found(-20.0)}}, "seconds": {EVIL: 1.0}}
    rows = [{"iteration": 1, "env_steps": 9, EVIL: [1.0, 2.0], "return": [1.0, None]}]
    run = run_of(tmp_path / "<script>alert(1)<", evil, rows)
    record = {"iteration": 1, "config": {}, "versions": {EVIL: EVIL}, "seconds": {}, "files": {}}
    (run / "checkpoints" / "1").mkdir(parents=True)
    (run / "checkpoints" / "1" / "record.json").write_text(json.dumps(record))
    for page in (page_of(run), page_of(run, run)):
        assert {name for name, _ in page.tags}.isdisjoint({"img", "iframe", "object", "form", "base"})
        assert page.said.count("alert(1)") >= 8  # shown as it is
        assert any(EVIL.replace("_", " ") in chart["title"] for each in page.data for chart in each.get("charts", []))


def test_markup_is_made_of_markup_alone():
    assert tag("p", "<b>", tag("b", "&"), title='"') == '<p title="&quot;">&lt;b&gt;<b>&amp;</b></p>'
    assert data({"x": ["</script>", float("nan")]}) == (
        '<script type="application/json">{"x":["\\u003c/script>",null]}</script>'
    )


def test_a_page_stays_small(tmp_path):
    rng = np.random.default_rng(0)
    seeds, steps = 16, 800
    rows = [
        {"iteration": k + 1, "env_steps": k + 1} | {f"metric_{m}": rng.normal(size=seeds).tolist() for m in range(20)}
        for k in range(steps)
    ]
    run = run_of(tmp_path / "run", False, rows, num_seeds=seeds)
    (others,) = page_of(run).data
    for chart in others["charts"]:
        assert chart["lines"][0]["x"][0] == 1e-6 and chart["lines"][0]["x"][-1] == steps / 1e6


def test_films_that_are_too_large_are_left_out_and_said_so(talking):
    films = [{"agents": ["x" * 2_000_000]}]
    assert "There is none: it would make this page too large" in page_of(talking, films=films).said
    assert "There is none: it has no places." in page_of(talking, films=["it has no places"]).said
    page = page_of(talking, films=[{"agents": ["agent_0"]}])
    assert {"agents": ["agent_0"]} in page.data and any(x.get("class") == "replay" for _, x in page.tags)


# Whatever kind of run it is.


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"comm.preset": "none"}, "Does it talk? \N{BULLET} It cannot"),
        ({"env.name": "simple_tag_v3", "comm.preset": "none"}, "return, greedy: adversary"),
        ({"env.name": "simple_spread_v3"}, "channel commnet"),
        ({"env.name": "simple_crypto_v3", "comm.preset": "speech"}, "return, greedy: good"),
        (
            {"algorithm": "matd3", "learning_delay": 400, "env.continuous_actions": True},
            "matd3 on simple_reference_v3, continuous actions",
        ),
        ({"num_seeds": 1}, "1 seed of 76,800 steps"),
        ({"env.name": "simple_tag_v3", "comm.preset": "none", "opponents": {"good": "evader"}}, "evader"),
    ],
)
def test_any_kind_of_run_has_a_page(tmp_path, changes, told):
    cfg = default_cfg().replace({"num_iters": 6, "num_seeds": 2, **changes})
    rows = [{name: x[: cfg.num_seeds] if isinstance(x, list) else x for name, x in row.items()} for row in rows_of(cfg)]
    page = page_of(run_of(tmp_path / "run", None, rows, **changes))
    assert told in page.said
    assert len(page.data[0]["charts"][0]["lines"]) == len(cfg.make_env().team_names)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "not evaluated yet: it has done 0 of 6 iterations"),
        (
            [{"iteration": 2, "env_steps": 9, "return": [None, None]}],
            "not evaluated yet: it has done 2 of 6 iterations",
        ),
        (
            [{"iteration": 2, "env_steps": 9, "return": [1.0, 2.0], "entropy": [None, 1.0]}],
            "Training diverged: at the end, entropy is not finite (2 of 6 iterations)",
        ),
    ],
)
def test_a_run_that_is_not_finished_has_a_page(tmp_path, rows, told):
    page = page_of(run_of(tmp_path / "run", False, rows))
    assert told in page.said and "How it was made" in page.said


def test_an_evaluation_from_before_a_run_went_on_is_no_answer(tmp_path):
    rows = [{"iteration": k, "env_steps": 9 * k, "return": [1.0, 2.0]} for k in (3, 5)]
    page = page_of(run_of(tmp_path / "run", {"iteration": 3}, rows))
    assert "not evaluated yet: it has done 5 of 6 iterations" in page.said
    assert "not evaluated yet" not in page_of(run_of(tmp_path / "evaluated", {"iteration": 5}, rows)).said


def test_seeds_that_diverged_are_left_out(tmp_path):
    undefined = {"mean": None, "low": None, "high": None, "of_each_seed": [None, None]}
    page = page_of(run_of(tmp_path / "run", {"return": found(-7.5, None), "success": undefined, "score": undefined}))
    assert "-7.500 [-7.600, -7.400] -26.500 -7.500, " + NOTHING in page.said


@pytest.mark.parametrize(
    "change",
    [
        {"teams": ["good", "bad"]},
        {"return": {"mean": EVIL}},
        {"warnings": [{}]},
        {"seconds": {"train": "1"}},
        {"message_table": {"agent_0": {"symbols": [0], "counts": [], "n": 1, "information": 0.0}}},
        {"message_table": {"a": {"symbols": [0, 1], "counts": [[1], [1, 2]], "n": 1, "information": 0.0}}},
        {"baselines": 3},
        {"untrained": None},
        {"return_with_noise": {"0.5": {}}},
        {"return_with_noise": {"much": found(1.0)}},
        {"protocol_interval": [1.0]},
    ],
)
def test_a_damaged_evaluation_is_one_line(tmp_path, change, capsys):
    run = run_of(tmp_path / "run", change)
    status, errors = call(main, [run, "--no-replays"], capsys)
    assert status == 1 and re.fullmatch(
        r"error: .*evaluation.json is damaged; train --resume .* evaluates the run again\n", errors
    )


# Several runs, and studies.


def test_runs_of_a_task_stand_side_by_side(talking, tmp_path):
    silent = run_of(tmp_path / "silent", **{"comm.preset": "none"})
    tag_run = run_of(tmp_path / "tag", **{"env.name": "simple_tag_v3", "comm.preset": "none"})
    (tmp_path / "other").mkdir()
    unfinished = run_of(tmp_path / "other" / "silent", False)
    page = page_of(talking, silent, tag_run, unfinished)
    assert "4 runs talking, silent, tag, silent (2)" in page.said
    assert "Returns on simple_reference_v3" in page.said and "Learning simple_tag_v3" in page.said
    reference, of_tag = [each for each in page.data if each["by"] == "line"]
    assert reference["switches"] == ["talking", "silent", "silent (2)"] and of_tag["switches"] == ["tag"]
    assert [line["name"] for line in reference["charts"][0]["lines"]] == reference["switches"]
    assert {"#run-0", "#run-3"} <= set(page.links) and {f"run-{k}" for k in range(4)} <= {
        x.get("id") for _, x in page.tags
    }


def test_settings_are_told_where_they_are_not_the_usual_ones(talking, tmp_path):
    cfg = read_run(talking).cfg
    assert [(key, here, usual) for key, here, usual, _ in changed(cfg)] == [
        ("num_seeds", "2", "1"), ("num_iters", "6", "620"), ("lr", "0.001", "0.005"),
    ]  # fmt: skip
    preset = cfg.replace({"comm.preset": "gumbel", "comm.heads": 2})  # what the preset brings is told by its name
    assert [row[:3] for row in changed(preset)][:2] == [("comm.preset", "gumbel", "commnet"), ("comm.heads", "2", "1")]
    other = read_run(run_of(tmp_path / "other", algorithm="matd3", learning_delay=400, lr=1e-3))
    assert ("algorithm", ["mappo", "matd3"]) in differing([read_run(talking), other])
    assert ("buffer_size", [NOTHING, "500000"]) in differing([read_run(talking), other])
    assert "lr" not in dict(differing([read_run(talking), other]))


@pytest.fixture
def study(tmp_path):
    """The folder of one, as it is left."""
    protocols = {"silent": {"preset": "none"}, EVIL: {"preset": "gumbel"}}
    asked = StudyConfig(run={"num_iters": 4, "num_seeds": 2}, protocols=protocols)
    folder = StudyFolder.create(tmp_path / "study", asked)
    rows = [
        {
            **{"protocol": program.protocol, "field": None, "value": None, "config": program.cfg.model_dump()},
            "curve": {"env_steps": [100_000, 200_000], "return": {"of_each_seed": [[-9.0, -8.0], [None, -7.0]]}},
            **{"return": found(-8.0, -7.0), "success": found(0.5, 1.0), "return_muted": found(-17.0)},
            **{"message_information": found(1.0), "bits_per_step": found(3.32), "steps_per_second": 9.0},
            **{"untrained": {"message_information": found(0.1)}, "protocol_fraction": None, "diverged": 0},
            **{"interval_over": "seeds", "warnings": [EVIL]},
        }
        for program in programs(asked)
    ]
    folder.results.write_text(json.dumps(rows))
    return folder.path


def test_a_study_has_a_page(study):
    html = make_report(study).read_text()
    page = Page(html)
    assert "://" not in html and not any(name == "img" for name, _ in page.tags)
    assert "a study on simple_reference_v3, 2 rows" in page.said and "silent -7.50 [-7.60, -7.40]" in page.said
    assert f"{EVIL}: {EVIL}" in page.said  # a warning of that row
    (learning,) = page.data
    assert [line["name"] for line in learning["charts"][0]["lines"]] == ["silent", EVIL] == learning["switches"]
    assert learning["charts"][0]["lines"][0]["y"] == [[-9, None], [-8, -7]]


def test_a_study_with_damaged_curves_is_one_line(study, capsys):
    results = study / "results.json"
    rows = json.loads(results.read_text())
    rows[0]["curve"]["return"] = {"of_each_seed": [[1.0], [2.0, 3.0]]}
    results.write_text(json.dumps(rows))
    status, errors = call(main, [study], capsys)
    assert status == 1 and errors == "error: the results of silent are damaged: its curve is none\n"


# Made by commands.


def test_commands_make_pages(talking, tmp_path, capsys, monkeypatch):
    assert make_report(talking, replays=False) == talking / "report.html"
    assert call(main, [talking, "--no-replays"], capsys)[0] == 0  # made anew
    assert call(main, [talking, talking, "--no-replays"], capsys)[0] == 0 and (talking / "report-1.html").exists()
    there = tmp_path / "page.html"
    assert call(main, [talking, "--no-replays", "--output", there], capsys)[0] == 0 and there.exists()
    status, errors = call(main, [talking, "--no-replays", "--output", there], capsys)
    assert status == 1 and errors == f"error: {there} exists; choose another file\n"
    status, errors = call(main, [talking, tmp_path], capsys)
    assert status == 1 and errors == f"error: {tmp_path} is not a run folder: it has no config.yaml\n"


def test_a_run_that_cannot_be_played_says_why(talking):
    assert f"There is none: {talking} has no checkpoint yet." in Page(make_report(talking).read_text()).said


def test_no_run_fails_for_want_of_a_page(talking, monkeypatch, capsys):
    def full(path, content):
        raise RunError(f"cannot write {path}: No space left on device")

    cfg = read_run(talking).cfg
    runner = Runner(cfg, RunFolder(talking))
    runner.report(None)
    assert (talking / "report.html").exists() and "report: open" in capsys.readouterr().out
    monkeypatch.setattr("jaxmarl_comm.page.report.write_whole", full)
    runner.report(None)
    assert capsys.readouterr().out.endswith("report.html: No space left on device\n")


def test_another_evaluation_has_a_page_of_its_own(talking):
    folder, cfg = RunFolder(talking), read_run(talking).cfg
    other = talking / "evaluation-1.json"
    folder.write_json(other, evaluation_of(cfg, **{"return": found(-6.5)}))
    Runner(cfg, folder).report(other)
    said = Page((talking / "evaluation-1-report.html").read_text()).said
    assert "as it is -6.50 [-6.60, -6.40]" in said and not folder.report.exists()
    assert next(iter(folder.numbered("evaluation", ".json"))).name == "evaluation-2.json"


# Who can hear whom, in a film.


@pytest.mark.parametrize(
    ("changes", "pairs"),
    [
        ({"comm.preset": "speech"}, [[0, 1], [1, 0]]),
        ({"comm.preset": "speech", "env.name": "simple_speaker_listener_v4"}, [[1, 0]]),
        ({"comm.preset": "none"}, []),
        ({"comm.route": "star", "env.name": "simple_spread_v3"}, [[0, 1], [0, 2], [1, 0], [2, 0]]),
    ],
)
def test_arrows_lead_to_those_who_hear(changes, pairs):
    cfg = default_cfg().replace(changes)
    env = cfg.make_env()
    assert hears(cfg, env) == pairs and hears_at(cfg, env, np.zeros((3, len(env.scene), 2))) is None


def test_arrows_follow_the_places_where_these_decide():
    cfg = default_cfg().replace({"env.name": "simple_spread_v3", "comm.route": "radius", "comm.route_radius": 1.0})
    env = cfg.make_env()
    places = np.zeros((3, len(env.scene), 2))
    places[0, :3, 0], places[1, :3, 0] = [0, 0.5, 5], [0, 5, 9]
    assert hears(cfg, env) is None
    assert hears_at(cfg, env, places) == [[[0, 1], [1, 0]], []]
