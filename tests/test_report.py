"""Pictures: what lines, marks and words stand for in them."""

import matplotlib
import numpy as np
import pytest

from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.files import RunError
from jaxmarl_comm.report import curves, messages, study_picture
from jaxmarl_comm.report.figure import blank, draw_legend, draw_levels

BIMODAL = [[-9.0, -17.0], [-7.5, -16.8], [-7.4, -16.9]]  # a return of each seed after each chunk


@pytest.fixture
def drawn(monkeypatch):
    """Figures that would be saved, the last one last."""
    figures = []
    for room in (curves, messages, study_picture):
        monkeypatch.setattr(room, "save", lambda figure, path: figures.append(figure))
    return figures


def panels(figure):
    """Title, or label of the vertical axis, of each panel that shows something -> panel."""
    return {axis.get_title() or axis.get_ylabel(): axis for axis in figure.axes if axis.axison}


def heights(axis, label):
    """Levels of the lines with this label."""
    return [line.get_ydata()[0] for line in axis.get_lines() if line.get_label() == label]


def seen(axis):
    """What the lines of a panel go through."""
    return [list(line.get_ydata()) for line in axis.get_lines()]


def rows_of(returns, **others):
    return [{"env_steps": 1e6 * k, "return": each, "entropy": each, **others} for k, each in enumerate(returns)]


# Curves.


def test_curves_show_every_seed_beside_their_mean(drawn):
    curves.plot_curves(rows_of([[None, None], *BIMODAL]), None, "a run")
    axis = panels(drawn[0])[curves.PANELS["return"]]
    lines = np.array(BIMODAL)
    assert seen(axis) == [lines[:, 0].tolist(), lines[:, 1].tolist(), lines.mean(axis=1).tolist()]
    assert "mean of 2 seeds, thin lines: each seed" in drawn[0].get_suptitle()


def test_curves_show_silent_optimum_oracle_and_trained_control(drawn):
    control = {"return": {"mean": -16.8}, "success": {"mean": 0.02}}
    rows = rows_of(BIMODAL, eval_return=[-7.0, -16.0], eval_success=[1.0, 0.0], eval_message_information=[1.0, 0.0])
    curves.plot_curves(rows, None, "a run", Ladder(None, -7.24), control)
    found = panels(drawn[0])
    for name in ("return", "eval_return"):
        axis = found[curves.PANELS[name]]
        assert heights(axis, "oracle") == [-7.24] and heights(axis, "silent optimum") == []
        assert heights(axis, "trained silent control") == [-16.8]
    assert heights(found[curves.PANELS["eval_success"]], "trained silent control") == [0.02]
    assert curves.PANELS["eval_message_information"] in found and curves.PANELS["approx_kl"] not in found


def test_a_ladder_of_another_task_is_not_drawn_beside_returns_in_training(drawn):
    rows = rows_of(BIMODAL, eval_return=[-7.0, -16.0])
    curves.plot_curves(rows, None, "a run", Ladder(-16.7, -7.24), of_task=False)
    found = panels(drawn[0])
    drawn_there = {name: heights(found[curves.PANELS[name]], "oracle") for name in ("return", "eval_return")}
    assert drawn_there == {"return": [], "eval_return": [-7.24]}


def test_returns_are_drawn_against_seconds_where_these_are_known(drawn):
    """An iteration whose time is unknown is left out there, and nowhere else."""
    rows = [row | {"iteration": 10 * (k + 1)} for k, row in enumerate(rows_of(BIMODAL, eval_return=[-7.0, -16.0]))]
    curves.plot_curves(rows, None, "a run", Ladder(-16.7, -7.24), seconds={10: 1.5, 30: 4.0})
    found = panels(drawn[0])
    axis, steps = found[f"{curves.PANELS['return']}, in time"], found[curves.PANELS["return"]]
    assert [list(line.get_xdata()) for line in axis.get_lines()][:3] == [[1.5, 4.0]] * 3
    assert seen(axis)[2] == [np.mean(BIMODAL[0]), np.mean(BIMODAL[2])] and heights(axis, "silent optimum") == [-16.7]
    assert axis.get_xlabel() == "seconds of training" and f"{curves.PANELS['eval_return']}, in time" in found
    assert list(steps.get_lines()[0].get_xdata()) == [0, 1, 2] and steps.get_xlim() != axis.get_xlim()


def test_curves_show_gradients_and_divergence_between_policies(drawn):
    measures = {name: [0.1, 0.2] for name in ("policy_grad_norm", "critic_grad_norm", "approx_kl", "eval_success")}
    curves.plot_curves(rows_of(BIMODAL, **measures), None, "a run")
    assert {curves.PANELS[name] for name in measures} <= set(panels(drawn[0]))


def test_curves_have_a_line_for_each_side(drawn):
    rows = [{"env_steps": k, "return_good": [-1.0], "return_adversary": [1.0]} for k in range(3)]
    control = {"return_good": {"mean": -2.0}, "return_adversary": {"mean": 2.0}}
    curves.plot_curves(rows, None, "a run", None, control, ("good", "adversary"))
    axis = panels(drawn[0])[curves.PANELS["return"]]
    assert heights(axis, "good") == [-1] and heights(axis, "adversary") == [1]
    assert heights(axis, "trained silent control") == [-2, 2]
    assert "each seed" not in drawn[0].get_suptitle()


def test_a_picture_is_whole_and_always_the_same(tmp_path):
    """PNG and SVG; nothing of the clock in them, no drafts left, and the user's own plotting untouched."""
    before = dict(matplotlib.rcParams)
    contents = []
    for _ in range(2):
        curves.plot_curves(rows_of(BIMODAL), tmp_path / "curves.png", "a run")
        contents.append({file.name: file.read_bytes() for file in tmp_path.iterdir()})
    assert contents[0] == contents[1] and set(contents[0]) == {"curves.png", "curves.svg"}
    assert contents[0]["curves.png"].startswith(b"\x89PNG") and b"<svg" in contents[0]["curves.svg"]
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(RunError, match="cannot write"):
        curves.plot_curves([], tmp_path / "nowhere" / "curves.png", "a run")


# Messages.


def table(counts):
    return {"symbols": list(counts), "counts": list(counts.values()), "n": 100, "information": 1.04}


def test_messages_are_grouped_by_goal_in_the_same_rows_for_all(drawn):
    """Symbol 7 means goal 0 and symbol 3 goal 1 for both; only the second agent says 5, which means goal 0, too."""
    tables = {"a_0": table({3: [0, 60], 7: [40, 0]}), "a_1": table({7: [50, 1], 5: [9, 0], 3: [0, 40]})}
    messages.plot_messages(tables, None)
    first, second = panels(drawn[0]).values()
    assert [label.get_text() for label in first.get_yticklabels()] == ["7 (40%)", "5 (0%)", "3 (60%)"]
    assert [label.get_text() for label in second.get_yticklabels()] == ["7 (51%)", "5 (9%)", "3 (40%)"]
    assert [line.get_ydata()[0] for line in first.get_lines()] == [1.5]
    assert first.get_title() == "a_0: 100 messages, I(m; goal) = 1.04 nats"


# Studies.


def estimate(*seeds):
    known = [seed for seed in seeds if seed is not None]
    mean = sum(known) / len(known) if known else None
    return {"mean": mean, "low": known and mean - 1, "high": known and mean + 1, "of_each_seed": list(seeds)}


def row(protocol, returns, field=None, value=None, **others):
    share = estimate(*(None if of_seed is None else float(of_seed > -12) for of_seed in returns))
    return {
        "protocol": protocol,
        "field": field,
        "value": value,
        "return": estimate(*returns),
        "success": share,
        "protocol_fraction": share["mean"],
        "diverged": returns.count(None),
        "interval_over": "seeds",
    } | others


def words(axis):
    return [text.get_text() for text in axis.texts]


def test_a_study_shows_every_seed_and_those_that_diverged(drawn):
    rows = [row("talk", [-7.0, -17.0]), row("half", [-8.0, None]), row("wild", [None, None])]
    study_picture.plot_study(rows, "a task", None, Ladder(-16.7, None))
    found = panels(drawn[0])
    axis = found[study_picture.PANELS["return"]]
    assert [-7, -17] in seen(axis) and [-12] in seen(axis) and [-8] in seen(axis)
    assert heights(axis, "silent optimum") == [-16.7] and heights(axis, "oracle") == []
    assert words(axis) == ["diverged"]
    assert "95 % interval over seeds" in drawn[0].get_suptitle()
    counts = found[study_picture.PANELS["seeds"]]
    assert [(line.get_marker(), *line.get_ydata()) for line in counts.get_lines() if line.get_marker() == "x"] == [
        ("x", 1), ("x", 2),
    ]  # fmt: skip
    assert not any("steps" in name for name in found)


def test_a_study_shows_each_side_and_steps_to_a_level(drawn):
    sides = {"return_good": estimate(-3.0, -4.0), "return_adversary": estimate(3.0, 5.0)}
    success = {"success_good": estimate(None, None), "success_adversary": estimate(None, None)}
    steps = {"median": 2e6, "of_each_seed": [2e6, None], "reached": 1, "level": -3.5}
    rows = [row("talk", [-3.0, -4.0], "noise", 1, **sides, **success, steps_to_level=steps, protocol_fraction=None)]
    study_picture.plot_study(rows, "a task", None, None, ("good", "adversary"))
    found = panels(drawn[0])
    assert list(found) == [study_picture.PANELS["return"], study_picture.PANELS["steps_to_level"].format(level=-3.5)]
    returns, level = found.values()
    assert [-3, -4] in seen(returns) and [3, 5] in seen(returns)
    assert {"talk, good", "talk, adversary"} <= set(returns.get_legend_handles_labels()[1])
    assert seen(level)[0] == [2] and words(level)[0] == "1 of 2"


def test_many_swept_numbers_can_be_read(drawn):
    """In order, whatever their distances, each label with room for its letters."""
    values = [float(f"{value:.3g}") for value in np.geomspace(1e-4, 1e4, 100)]
    study_picture.plot_study([row("talk", [-7.0], "noise", value) for value in values[::-1]], "a task", None)
    axis = drawn[0].axes[-1]
    drawn[0].draw_without_rendering()
    labels = [label for label in axis.get_xticklabels() if label.get_text()]
    assert [float(label.get_text()) for label in labels] == sorted(float(label.get_text()) for label in labels)
    centres = axis.transData.transform([label.get_position() for label in labels])[:, 0]
    points = np.diff(centres).min() / drawn[0].dpi * 72
    assert points > labels[0].get_fontsize()


def test_a_legend_names_levels_after_all_that_was_run():
    figure = blank(8, 4)
    first, second = figure.subplots(1, 2)
    for axis, name in ((first, "one run"), (second, "another")):
        axis.plot([0, 1], [0, 1], label=name)
        draw_levels(axis, {"oracle": 0.5, "silent optimum": None})
    draw_legend(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one run", "another", "oracle"]
