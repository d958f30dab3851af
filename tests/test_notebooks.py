"""The notebooks, executed from top to bottom at small size, as a user's kernel would; and how they are kept."""

import json
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from runs import ROOT, TINY

SMALL = {**TINY, "num_iters": 2, "num_seeds": 1, "eval_interval": 0, "eval_episodes_reference": 0}
SMALLER = {  # than what the cell "parameters" says
    "api": f"SETTINGS |= {SMALL}; EPISODES = 20",
    "example": f"SETTINGS |= {SMALL}; SWEEP |= {SMALL}; FILMS = 20",
}
SHOWN = {  # cell -> what it shows
    "api": {"curves": "image/png", "messages": "image/png"},
    "example": {
        "curves": "image/png",
        "messages": "image/png",
        "mute": "image/png",
        "watch": "text/html",
        "bits": "image/png",
    },
}
of_notebooks = pytest.mark.parametrize("name", sorted(SMALLER))


def read(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def cell(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


@pytest.mark.long
@of_notebooks
def test_a_notebook_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    """Nothing is said on standard error, where warnings would stand."""
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a notebook has its own
    notebook = read(name)
    parameters = notebook.cells.index(cell(notebook, "parameters"))
    notebook.cells.insert(parameters + 1, nbformat.v4.new_code_cell(SMALLER[name]))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for each in notebook.cells for output in each.get("outputs", ())]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    for of, kind in SHOWN[name].items():
        assert any(kind in output.get("data", ()) for output in cell(notebook, of).outputs), of
    assert (tmp_path / "runs").is_dir()


@of_notebooks
def test_a_notebook_is_kept_without_outputs_and_as_jupyter_writes_it(name):
    text, notebook = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"), read(name)
    nbformat.validate(notebook)
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
    assert all(not each.outputs and each.execution_count is None for each in notebook.cells if "outputs" in each)
    assert cell(notebook, "install").source == cell(read("api"), "install").source


@pytest.mark.parametrize(
    ("will_do", "asked"),
    [(True, [["jax==0.9"]]), (False, [["jax==0.9"], ["jax[cuda12]"]])],
    ids=["colab's jax will do", "colab's jax is too old"],
)
def test_in_colab_a_jax_that_will_do_is_kept(monkeypatch, will_do, asked):
    """As pip would be asked; elsewhere nothing is installed."""
    install, calls = cell(read("api"), "install").source, []

    def run(words, check=False):
        assert words[:6] == [sys.executable, "-m", "pip", "install", "--quiet", "jaxmarl_comm.zip"]
        calls.append(words[6:])
        return SimpleNamespace(returncode=int(not will_do))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("importlib.metadata.version", {"jax": "0.9"}.get)
    monkeypatch.setattr("importlib.util.find_spec", {"jax_cuda12_plugin": "there"}.get)
    exec(install, {})
    assert calls == []
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    exec(install, {})
    assert calls == asked
