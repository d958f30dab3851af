"""The page of results: what it says is what its runs' own files say, and it can be made again without them."""

import json
import shlex
import shutil

import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.cli import results_main
from jaxmarl_comm.config import build_config
from jaxmarl_comm.dotted import merge
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.files import RunError, locked
from jaxmarl_comm.options import Parser, field_overrides
from jaxmarl_comm.repeat import command
from jaxmarl_comm.results import pictures
from jaxmarl_comm.results.collect import place, read_record
from jaxmarl_comm.results.page import page as page_of
from jaxmarl_comm.results.record import CROSSPLAY, EXPLOIT, Kept, newest, record_of
from jaxmarl_comm.run_folder import RunFolder
from runs import ROOT, TINY, call

NUMBERS = [-7.25, -7.5]


def found(mean, low=None, high=None, **more):
    return {"mean": mean, "low": low, "high": high, "of_each_seed": NUMBERS, **more}


def finished(path, **changes):
    """A run folder as training leaves it, of numbers that nobody trained for."""
    cfg = default_cfg().replace({**TINY, "num_seeds": 2, **changes})
    folder, names = RunFolder.create(path, cfg), cfg.make_env().team_names
    suffixes = [""] if len(names) == 1 else [f"_{name}" for name in names]
    for iteration in (2, 4, 6):
        evaluated = {f"eval_return{suffix}": [iteration - 10.0, None] for suffix in suffixes} if iteration > 2 else {}
        folder.append_metrics({"iteration": iteration, "env_steps": iteration * 100, **evaluated})
    measures = {
        f"return{suffix}": found(-7.375, -7.5, -7.25, iqm=-7.4, iqm_low=-7.5, iqm_high=-7.3) for suffix in suffixes
    }
    measures |= {f"success{suffix}": found(0.987) for suffix in suffixes}
    rest = {"teams": list(names), "seconds": {"train": 120.0}, "episodes": 20, "score": found(0.9)}
    scripted = {"random": {"return": found(-5.0)}, "goal_seekers": {"return": found(-7.39), "success": found(0.998)}}
    rest["baselines"] = scripted if len(names) == 1 else {}
    ladder = {"silent": -16.7, "oracle": -7.24} if len(names) == 1 else None
    control = (
        {"control": {"env_steps": 600}, "value_of_talk": found(9.31, 9.3, 9.32)}
        if len(names) == 1
        else {"control": None}
    )
    folder.write_json(folder.evaluation, measures | rest | control | {"ladder": ladder, "iteration": 6})
    return path


def test_a_page_says_what_runs_reached(tmp_path):
    run = finished(tmp_path / "words-20261124-101112")
    assert results_main([str(run), "--page", str(tmp_path / "results.md")]) == 0
    Kept.model_validate(record_of(run))
    written = (tmp_path / "results.md").read_text()
    row = next(line for line in written.splitlines() if line.startswith("| `simple_reference_v3`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:5] == ["`words`", "discrete", "mappo", "`commnet`"]
    today = make_env("simple_reference_v3").ladder  # not what stands in the run's evaluation
    score, low, high = (today.score(x) for x in (-7.375, -7.5, -7.25))
    assert cells[7:10] == ["-7.38 [-7.50, -7.25]", "-7.40 [-7.50, -7.30]", "98.7%"]
    assert cells[10:12] == [f"{score:.2f} [{low:.2f}, {high:.2f}]", "-7.39 (100%)"]
    assert cells[12:15] == [f"{today.silent:.2f}", f"{today.oracle:.2f}", f"{today.attainable:.2f} (100%)"]
    assert cells[15] == "9.31 [9.30, 9.32]"
    assert (tmp_path / "results" / "simple_reference_v3.png").is_file()
    shutil.rmtree(run)  # the record is enough
    (tmp_path / "results.md").unlink()
    assert results_main(["--page", str(tmp_path / "results.md")]) == 0
    assert (tmp_path / "results.md").read_text() == written


def test_the_page_in_the_repository_is_what_its_records_make():
    records = sorted(map(read_record, (ROOT / "docs" / "results").glob("*.json")), key=place)
    assert (ROOT / "docs" / "results.md").read_text() == page_of(records, "results")


def test_sides_stand_apart_with_what_they_were_crossed_with(tmp_path):
    run = finished(tmp_path / "tag", **{"env.name": "simple_tag_v3", "comm.preset": "none"})
    entry = {"run": "a/path", "seed": 0, "told": False, "mean": -1.0, "worst": -2.0, "worst_against": "evader"}
    rows = [
        entry | {"name": "tag s0", "nash_average": -1.5},
        entry | {"name": "seer", "told": True, "nash_average": None},
    ]
    of_run = {
        f"{measure}_{team}": found(x) for x, measure in enumerate(("mean", "worst")) for team in ("good", "adversary")
    }
    for k, episodes in ((1, 10), (2, 1_000)):  # of which the newest counts
        content = {"rows": rows, "columns": rows[:1], "episodes": episodes, "runs": [of_run | {"run": "a/path"}]}
        (run / f"crossplay-{k}").mkdir()
        (run / f"crossplay-{k}" / "crossplay.json").write_text(json.dumps(content))
    taken = {"sides": {"good": {"exploitability": found(2.5, 2.0, 3.0)}}, "env_steps": 1_500_000, "responders": 4}
    (run / "exploit-1").mkdir()  # of which nothing came
    (run / "exploit-2").mkdir()
    (run / "exploit-2" / "exploit.json").write_text(json.dumps(taken | {"episodes": 9}))
    assert results_main([str(run), "--page", str(tmp_path / "results.md")]) == 0
    page = (tmp_path / "results.md").read_text()
    assert page.count("| `simple_tag_v3` | `tag` |") == 2
    good = "| good | mappo | `none` | 2 | 0.0 M | -7.38 [-7.50, -7.25] | 98.7% | 0.00 | 1.00 | - |"
    assert f"{good} 2.50 [2.00, 3.00] from 2 of the seeds, by the best of 4 responses of 1.5 M steps |" in page
    assert "`tag` in 1,000 common episodes" in page
    assert "| good | seer* | -1.00 | -2.00 (evader) | - |" in page
    assert "a/path" not in page + (tmp_path / "results" / "tag.json").read_text()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"env.name": "simple_spread_v3", "env.N": 4, "comm.preset": "tarmac", "comm.delay": 2, "lr": 1e-3},
        {"net.groups": {"agent": {"hidden": [8, 4]}}, "net.activation": "tanh", "control": True},
        {"env.name": "simple_tag_v3", "teams": {"adversary": {"lr": 1e-3}}, "env.continuous_actions": True},
        {"env.name": "simple_crypto_v3", "comm.preset": "speech", "critic_lr": 1e-3, "target_kl": 0.02},
        {
            "env.name": "simple_crypto_v3",  # where the preset alone would be refused
            **{"comm.preset": "dial", "comm.rounds": 0, "comm.speech": "reinforced"},
            **{"comm.discretise": "none", "comm.delay": 0, "algorithm": "ippo"},
        },
        {"env.name": "simple_tag_v3", "teams": {"adversary": {"channel": False}}, "alternate_every": 3},
        {"env.name": "simple_tag_v3", "comm.preset": "none", "opponents": {"good": "runs/it's: a name:0"}},
    ],
)
def test_its_commands_make_such_runs(changes):
    """Each setting of the run is in its command, as a shell would read it."""
    cfg = default_cfg().replace(changes)
    _, _, *words = shlex.split(command(cfg))
    assert build_config(merge({}, field_overrides(words, Parser()))) == cfg


def spread(name, arguments=None, continuous=False, success=None, oracle=-5.0):
    """A record of a run of simple_spread with a curve of its own."""
    return {
        "name": name, "task": "simple_spread_v3", "arguments": arguments or {}, "continuous": continuous,
        "teams": ["good"], "algorithm": "mappo", "channel": "none", "num_seeds": 1, "env_steps": 1, "train_seconds": 90,
        "episodes": 2, "command": "-", "control": None, "baselines": {}, "crossplay": None, "exploit": None,
        "found": {"return": None, "return_reference": None, "success": None, "score": None, "value_of_talk": None},
        "ladder": {"silent": None, "oracle": oracle, "attainable": -6.5, "attainable_success": success},
        "curve": {"env_steps": [1e6, 2e6], "eval_return": [[-9.0], [-float(len(name))]]},
    }  # fmt: skip


def test_runs_that_cannot_be_compared_share_no_panel(tmp_path, monkeypatch):
    """Other arguments of a task and other actions have other levels."""
    six, ten = {"N": 6}, {"N": 10}
    records = [
        *(spread("ten", ten, oracle=None), spread("six", six, oracle=-9.0), spread("b"), spread("aa")),
        spread("free", continuous=True, oracle=-4.0),
    ]
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    pictures.plot_task(sorted(records, key=place), tmp_path / "x.png")
    panels = {axis.get_title(): axis.lines for axis in drawn[0].axes}
    looks = {line.get_label(): line.get_color() for lines in panels.values() for line in lines}
    assert {title: [(line.get_label(), line.get_ydata()[-1]) for line in lines] for title, lines in panels.items()} == {
        "simple_spread_v3": [("aa", -2), ("b", -1), ("oracle", -5)],
        "simple_spread_v3, continuous actions": [("free", -4), ("oracle", -4)],
        "simple_spread_v3, N: 6": [("six", -3), ("oracle", -9)],
        "simple_spread_v3, N: 10": [("ten", -3)],
    }
    assert list(panels)[-2:] == ["simple_spread_v3, N: 6", "simple_spread_v3, N: 10"]
    assert len(set(looks.values())) == len(looks)


def test_cells_tell_arguments_and_how_often_the_best_plans_succeed():
    records = [
        spread("never", {"curriculum": True, "who": "a|b"}, success=0.0),
        spread("mostly", success=0.914),
        spread("unknown"),
        spread("no_rung", success=0.5) | {"ladder": {"silent": None, "oracle": None, "attainable": None}},
    ]
    rows = [line for line in page_of(records, "results").splitlines() if line.startswith("| `simple_spread_v3`")]
    assert [row.strip("| ").split(" | ")[0] for row in rows] == [
        '`simple_spread_v3`, curriculum: true, who: "a\\|b"',
        *["`simple_spread_v3`"] * 3,
    ]
    assert [row.split(" | ")[14] for row in rows] == ["-6.50 (0%)", "-6.50 (91%)", "-6.50", "-"]


def test_a_cell_tells_the_best_scripted_team():
    def row(**teams):
        made = {name: {"return": {"mean": x}, "success": {"mean": success}} for name, (x, success) in teams.items()}
        return page_of([spread("x") | {"baselines": made}], "results").split("| `x` |")[1].split(" | ")[9]

    assert row(random=(-1.0, None)) == "-"
    assert row(random=(-1.0, None), clumsy=(-9.0, 0.99), adroit=(-7.424, 0.907)) == "-7.42 (91%)"
    assert row(random=(-1.0, None), carriers=(33.97, None)) == "33.97"
    assert row(unknown=(None, None), adroit=(-7.424, 0.907)) == "-7.42 (91%)"


def test_a_score_stands_on_the_ladder_of_today():
    record = spread("x") | {"ladder": {"silent": -10.0, "oracle": -5.0}}
    record["found"] = record["found"] | {"return": found(-6.0, -7.0, None)}
    assert page_of([record], "results").split("| `x` |")[1].split(" | ")[8] == "0.80"
    record["found"]["return"] = found(-6.0, -7.0, -5.0)
    assert page_of([record], "results").split("| `x` |")[1].split(" | ")[8] == "0.80 [0.60, 1.00]"


def test_arguments_are_those_that_differ_from_the_task_s_own(tmp_path):
    told = {"env.name": "simple_tag_v3", "env.num_good": 2, "env.max_cycles": 25, "env.continuous_actions": True}
    run = finished(tmp_path / "tag", **told, **{"comm.preset": "none"})
    assert record_of(run)["arguments"] == {"num_good": 2}
    assert results_main([str(run), "--page", str(tmp_path / "results.md")]) == 0
    assert (tmp_path / "results.md").read_text().count("| `simple_tag_v3`, num_good: 2 | `tag` |") == 2


def folder_in(parent):
    parent.mkdir()
    return parent / "words"


def test_mistakes_are_one_line(tmp_path, capsys):
    page, done = tmp_path / "results.md", finished(folder_in(tmp_path / "one"))
    unfinished = finished(tmp_path / "unfinished")
    (unfinished / "metrics.jsonl").write_text("")
    damaged = finished(tmp_path / "damaged")
    (damaged / "evaluation.json").write_text("[]")
    alone = {"env.name": "simple_tag_v3", "comm.preset": "none", "opponents": {"good": "evader"}}
    for arguments, message in {
        (finished(tmp_path / "alone", **alone),): "alone has trained one side alone (opponents)",
        (tmp_path / "nowhere",): "is not a run folder",
        (unfinished,): "is not finished: go on with --resume",
        (damaged,): "evaluation.json is damaged",
        (done, finished(folder_in(tmp_path / "other"))): "two runs are named words",
        (): "there are no records in",
    }.items():
        status, error = call(results_main, [*arguments, "--page", page], capsys)
        assert status == 1 and message in error and error.count("\n") == 1
        assert not page.exists()
    status, error = call(results_main, [done, "--page", tmp_path / "results.html"], capsys)
    assert status == 2 and "must be a Markdown file" in error


def test_a_record_of_what_nobody_knows_is_told(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    good, wrong = spread("x"), {"task": [], "arguments": {"N": 0}, "baselines": {"random": None}, "found": 3}
    wrong |= {"teams": [], "curve": None, "ladder": {"oracle": 1.0}, "train_seconds": float("nan")}
    for changes in (*({key: value} for key, value in wrong.items()), {"arguments": {"name": "y"}}):
        (tmp_path / "results" / "x.json").write_text(json.dumps(good | changes))
        status, error = call(results_main, ["--page", tmp_path / "results.md"], capsys)
        assert status == 1 and "x.json is no record of a run" in error and error.count("\n") == 1, changes
    (tmp_path / "results" / "x.json").write_text(json.dumps({key: good[key] for key in good if key != "ladder"}))
    assert call(results_main, ["--page", tmp_path / "results.md"], capsys)[0] == 1, "as of an earlier version"
    (tmp_path / "results" / "x.json").write_text(json.dumps(good))
    assert call(results_main, ["--page", tmp_path / "results.md"], capsys)[0] == 0


def test_a_task_of_others_keeps_the_ladder_that_its_record_has(tmp_path):
    record = tmp_path / "x.json"
    record.write_text(json.dumps(spread("x")))
    assert read_record(record)["ladder"]["oracle"] == make_env("simple_spread_v3").ladder.oracle
    record.write_text(json.dumps(spread("x") | {"task": "theirs"}))
    assert read_record(record)["ladder"]["oracle"] == -5.0


def test_a_run_that_went_on_is_not_shown_as_it_was_evaluated_before(tmp_path, capsys):
    run = finished(tmp_path / "words")
    RunFolder(run).append_metrics({"iteration": 8, "env_steps": 800})
    assert results_main([str(run), "--page", str(tmp_path / "results.md")]) == 1
    assert "was not evaluated since it went on" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("kind", "keys"), [("crossplay", CROSSPLAY), ("exploit", EXPLOIT)])
def test_what_a_run_met_before_it_went_on_says_nothing_of_it(tmp_path, kind, keys):
    (tmp_path / f"{kind}-1").mkdir()
    content = dict.fromkeys(keys, 3) | ({"runs": [{"iteration": 5}]} if kind == "crossplay" else {"iteration": 5})
    (tmp_path / f"{kind}-1" / f"{kind}.json").write_text(json.dumps(content))
    assert newest(tmp_path, kind, keys, 5).keys() == {*keys}
    with pytest.raises(RunError, match=rf"{kind}-1 is of iteration 5, but the run went on to 8: {kind}.py .* another"):
        newest(tmp_path, kind, keys, 8)


@pytest.mark.parametrize(
    "damage",
    [
        {"crossplay": dict.fromkeys(("rows", "columns", "runs", "episodes"))},
        {"exploit": {"sides": {"good": {"exploitability": None}}, "responders": 1, "env_steps": 1, "episodes": 2}},
        {"curve": {}},
        {"curve": {"env_steps": [1e6], "eval_return": []}},
        {"curve": {"env_steps": [1e6], "eval_return": 3}},
        {"found": {}},
    ],
)
def test_a_record_that_no_page_could_show_is_none(tmp_path, damage):
    of_sides = {f"{measure}_{side}": None for measure in ("return", "success") for side in ("good", "bad")}
    whole = spread("b") | {"teams": ["good", "bad"], "found": of_sides}
    path = tmp_path / "b.json"
    path.write_text(json.dumps(whole))
    assert read_record(path)["name"] == "b"
    path.write_text(json.dumps(whole | damage))
    with pytest.raises(RunError, match=r"b\.json is no record of a run"):
        read_record(path)


def test_pages_and_runs_may_have_other_names(tmp_path, capsys, monkeypatch):
    drawn, save = [], pictures.save
    monkeypatch.setattr(pictures, "save", lambda figure, path: (drawn.append(figure), save(figure, path)))
    run = finished(tmp_path / "_x$a_$b|c")
    assert results_main([str(run), "--page", str(tmp_path / "mine.md")]) == 0
    page = (tmp_path / "mine.md").read_text()
    assert r" _x\$a_\$b|c" in [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert "](mine/simple_reference_v3.png)" in page and r"| `_x$a_$b\|c` |" in page
    run.rename(tmp_path / "mine_too")
    assert results_main([str(tmp_path / "mine_too"), "--page", str(tmp_path / "mine_too.md")]) == 1
    assert "which is a run's folder; name the page otherwise" in capsys.readouterr().err
    assert results_main(["--page", str(tmp_path / "typo.md")]) == 1
    assert not (tmp_path / "typo").exists()


def test_nobody_writes_a_page_that_another_writes(tmp_path):
    run = finished(tmp_path / "words")
    (tmp_path / "results").mkdir()
    with locked(tmp_path / "results"):
        assert results_main([str(run), "--page", str(tmp_path / "results.md")]) == 1
    assert not list((tmp_path / "results").glob("*.json"))
