"""Files and folders of results: written whole or not at all, links never followed, one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

LOCK = ".lock"
DRAFT = ".part"
LARGEST = 2**30  # bytes of what is read at once


class RunError(RuntimeError):
    """A mistake about a run folder, or a run that failed, told in one line."""


class InterruptedRunError(RunError):
    """The user stopped the run; it can be resumed."""


def draft_of(path: Path) -> Path:
    """A name beside this one that nobody can guess, for what is not complete yet."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{DRAFT}")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, in place of whatever has its name. Raises RunError."""
    draft = draft_of(path)
    try:
        _write_new(draft, content.encode() if isinstance(content, str) else content)
        draft.replace(path)
    except OSError as error:
        discard(draft)
        raise RunError(f"cannot write {path}: {error.strerror}") from None


def write_new(path: Path, content: str | bytes) -> None:
    """Write a file whole, which must not exist yet. Raises FileExistsError if it does, RunError."""
    draft = draft_of(path)
    try:
        _write_new(draft, content.encode() if isinstance(content, str) else content)
        _name_new(draft, path)
    except FileExistsError:
        raise
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    finally:
        discard(draft)


def clear_drafts(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed processes left half-written of these files. For the one who has the folder's lock."""
    for name in names:
        for draft in folder.glob(f".{name}.{'[0-9a-f]' * 16}{DRAFT}"):
            discard(draft)


def discard(path: Path) -> None:
    """Remove a file, a link, or a folder with all in it, as far as that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, made if need be. Raises RunError."""
    try:
        _write_all(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666), f"{line}\n".encode())
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None


def read_bytes(path: Path) -> bytes:
    """What a regular file holds. Raises FileNotFoundError, or RunError for a link, pipe, folder or unreadable file.

    So it does for one larger than any that is read at once, which may well be larger than memory.
    """
    with opened(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > LARGEST:
            raise RunError(f"{path} has {size / 1e9:,.1f} GB, which none of a run's files has that is read at once")
        return file.read()


def sha256(path: Path) -> str:
    """Of a regular file of any size. Raises as `read_bytes`."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file, to be read. Raises as `read_bytes`."""
    try:
        check_kind(path, stat.S_IFREG)
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None


def check_kind(path: Path, kind: int) -> None:
    """Raises RunError unless a file (`stat.S_IFREG`) or folder (`stat.S_IFDIR`) is that itself, FileNotFoundError."""
    if stat.S_IFMT(path.lstat().st_mode) != kind:
        what = "folder" if kind == stat.S_IFDIR else "regular file"
        raise RunError(f"{path} is not a {what}: links and other things are not followed")


def check_folder(path: Path) -> None:
    """Raises RunError if there is anything but a folder of that name; a link to one is none."""
    try:
        check_kind(path, stat.S_IFDIR)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None


def create_folder(path: Path, files: Mapping[str, str], fill: Callable[[Path], None] = lambda draft: None) -> None:
    """A new folder with these files, and what `fill` puts there, which appears complete.

    Raises RunError if it exists or cannot be made, and what `fill` raises.
    """
    if os.path.lexists(path):
        raise RunError(
            f"run folder {path} exists; choose another (--run-dir), or go on with it (--resume; in Python, resume)"
        )
    draft = draft_of(path)
    try:
        draft.mkdir(parents=True)
        for name, content in files.items():
            _write_new(draft / name, content.encode())
        fill(draft)
        draft.rename(path)
    except OSError as error:
        raise RunError(f"cannot create run folder {path}: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # which has another name by now, if all went well


def sync_folder(path: Path) -> None:
    """Have the disk know the names in a folder. Raises OSError."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While inside, nobody else is. The kernel lets go when a process dies. Raises RunError if somebody is there."""
    path = folder / LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror}") from None
    try:
        _acquire(lock, folder)
        yield
    finally:
        os.close(lock)


def _acquire(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(lock, 20).decode(errors="replace").strip()
        who = f"process {owner}" if owner.isdecimal() else "another process"
        raise RunError(f"{folder} is in use by {who}; wait for it, or stop it first") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):  # some network drives know no locks
            raise RunError(f"cannot lock {folder}: {error.strerror}") from None
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror}") from None


def _name_new(draft: Path, path: Path) -> None:
    """Give a file a name that must be free. Raises FileExistsError, OSError."""
    try:
        os.link(draft, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):  # some drives know no second names
            raise
        _write_new(path, b"")
        draft.replace(path)


def _write_new(path: Path, content: bytes) -> None:
    _write_all(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), content)


def _write_all(target: int, content: bytes) -> None:
    with os.fdopen(target, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
