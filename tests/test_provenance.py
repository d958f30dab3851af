"""What a run says it was started with."""

import subprocess

import pytest

from jaxmarl_comm.provenance import commit, without_folders


def git(folder, *words):
    names = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", folder, *names, *words], check=True, capture_output=True)


def test_a_clone_tells_its_commit_and_whether_files_were_changed(tmp_path, monkeypatch):
    """Not what GIT_DIR speaks of, as in a hook of another repository."""
    for name in ("clone", "other"):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init")
        (tmp_path / name / "file").write_text(name)
        git(tmp_path / name, "add", "file")
        git(tmp_path / name, "commit", "-m", "first")
        git(tmp_path / name, "tag", "-a", "v1", "-m", "a version")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    head = (tmp_path / "clone" / ".git" / "refs" / "heads").glob("*")
    expected = next(head).read_text().strip()
    assert commit(tmp_path / "clone") == expected
    commit.cache_clear()
    (tmp_path / "clone" / "file").write_text("changed")
    assert commit(tmp_path / "clone") == f"{expected}-dirty"


def test_a_package_installed_inside_somebody_s_repository_has_no_commit(tmp_path):
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "theirs")
    (tmp_path / "site-packages").mkdir()
    assert commit(tmp_path / "site-packages") is None


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) is None
    commit.cache_clear()
    monkeypatch.setenv("PATH", "")
    assert commit(tmp_path) is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/home/jo smith/runs/a", "a"),
        ("--run-dir=/home/jo/runs/a", "--run-dir=a"),
        ("{adversary: /home/jo/runs/x:2, good: runs/y}", "{adversary: x:2, good: runs/y}"),
        ('["/home/jo/a","/home/jo/b"]', '["a","b"]'),
        ("~jo/runs/a", "a"),
        ("runs/a/b", "runs/a/b"),
        ("../runs", "../runs"),
        ("1/2", "1/2"),
        ("--lr", "--lr"),
    ],
)
def test_a_command_keeps_only_the_last_names_of_absolute_paths(word, expected):
    assert without_folders(word) == expected
