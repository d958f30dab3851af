"""Saving and loading the whole state of a run. The only file that knows orbax."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from pydantic import ValidationError

from jaxmarl_comm.checkpoint_record import RECORD, CheckpointError, Record, iterations_in, versions
from jaxmarl_comm.files import (
    DRAFT,
    RunError,
    check_folder,
    discard,
    draft_of,
    read_bytes,
    sha256,
    sync_folder,
    write_whole,
)
from jaxmarl_comm.suggest import one_line

STATE = "state"
BESIDE = 2**16  # bytes that a checkpoint takes beside its arrays, about
MARK = "commit_success.txt"  # orbax writes into it whose folder this is, and asks later only whether it is there

logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs what is raised anyway


class DamagedError(CheckpointError):
    """A checkpoint that is torn or damaged; the one before it may serve."""


class Checkpoints:
    """The checkpoints of one run, by iteration: folders that appear complete, with their record, or not at all.

    Raises RunError if something else has the folder's name. Nothing is written before `save`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        check_folder(self.folder)
        self.orbax = ocp.Checkpointer(ocp.StandardCheckpointHandler())

    @property
    def iterations(self) -> list[int]:
        """Of all there are, in order."""
        return iterations_in(self.folder)

    @property
    def latest(self) -> int | None:
        """Iteration of the newest one, None if there is none."""
        return max(self.iterations, default=None)

    def save(
        self,
        iteration: int,
        state: Any,
        config: Mapping[str, Any],
        seconds: Mapping[str, float],
        greedy_return: float | None = None,
    ) -> None:
        """Save a pytree of arrays and PRNG keys with its record. Raises CheckpointError."""
        target = self.folder / str(iteration)
        draft = draft_of(target)
        try:
            self.folder.mkdir(exist_ok=True)
            draft.mkdir()
            leaves = _saved_leaves(_without_keys(state))
            _check_room(draft, leaves)
            self.orbax.save(draft / STATE, args=ocp.args.StandardSave(leaves))
            if (mark := draft / STATE / MARK).exists():
                write_whole(mark, "")
            record = Record(
                iteration=iteration,
                config=dict(config),
                versions=versions(),
                seconds=dict(seconds),
                files=_hash_files(draft),
                greedy_return=greedy_return,
            )
            write_whole(draft / RECORD, record.model_dump_json())
            _remove(target)
            draft.rename(target)
            sync_folder(self.folder)
        except Exception as error:  # orbax and what lies beneath it raise many kinds
            shutil.rmtree(draft, ignore_errors=True)
            raise CheckpointError(f"cannot save checkpoint {target}: {_told(error)}") from error

    def forget(self, iterations: Iterable[int]) -> None:
        """Remove these."""
        for iteration in iterations:
            _remove(self.folder / str(iteration))

    def forget_after(self, iteration: int) -> None:
        """Remove newer ones, and what a killed process left half-written."""
        self.forget(newer for newer in self.iterations if newer > iteration)
        for draft in self.folder.glob(f".*{DRAFT}"):
            discard(draft)

    def load_newest(
        self, like: Any, check: Callable[[Record], None], tell: Callable[[str], None]
    ) -> tuple[Any, Record]:
        """(the pytree, its record) of the newest one that is whole; what is damaged is told.

        like: see `load`. check: raises what it likes if a record is not of this run. A run that goes on meanwhile may
        remove the one that is being read: then a newer one is there. Raises CheckpointError if none can be used.
        """
        damaged: dict[int, DamagedError] = {}
        while left := [iteration for iteration in self.iterations if iteration not in damaged]:
            try:
                return self.load_checked(left[-1], like, check)
            except DamagedError as error:
                if os.path.lexists(self.folder / str(left[-1])):
                    damaged[left[-1]] = error
                    if len(left) > 1:
                        tell(f"{error}; taking the one before it, of iteration {left[-2]}")
        if damaged:
            raise CheckpointError(f"{damaged[min(damaged)]}; no other is left")
        raise CheckpointError(f"{self.folder} holds no checkpoint")

    def load_checked(self, iteration: int, like: Any, check: Callable[[Record], None]) -> tuple[Any, Record]:
        """The same of this iteration's. Raises DamagedError, CheckpointError."""
        record = self.record(iteration)
        check(record)
        return self.load(iteration, like), record

    def record(self, iteration: int) -> Record:
        """Raises DamagedError, also where files are not those that the record tells."""
        checkpoint = self.folder / str(iteration)
        try:
            check_folder(checkpoint)
            record = Record.model_validate_json(read_bytes(checkpoint / RECORD))
            found = _hash_files(checkpoint)
        except (OSError, RunError, ValidationError):
            raise DamagedError(f"checkpoint {checkpoint} is damaged (file {RECORD})") from None
        wrong = [name for name in {**record.files, **found} if record.files.get(name) != found.get(name)]
        if wrong or record.iteration != iteration:
            raise DamagedError(f"checkpoint {checkpoint} is damaged (file {wrong[0] if wrong else RECORD})")
        return record

    def load(self, iteration: int, like: Any) -> Any:
        """The saved pytree. like: one of the same structure, shapes and types (`jax.eval_shape` will do).

        Raises DamagedError if it cannot be read, CheckpointError if it is of another shape.
        """
        checkpoint = self.folder / str(iteration)
        shapes = _saved_leaves(jax.tree.map(_plain_shape, like))
        try:
            loaded = self.orbax.restore(checkpoint / STATE, args=ocp.args.StandardRestore(shapes))
        except Exception as error:  # orbax and what lies beneath it raise many kinds
            raise DamagedError(f"checkpoint {checkpoint} is damaged or of another run: {_told(error)}") from error
        if jax.tree.map(_plain_shape, loaded) != shapes:
            raise CheckpointError(f"checkpoint {checkpoint} is of another run: shapes differ")
        leaves, structure = jax.tree_util.tree_flatten(like)
        filled = [_with_key(loaded.get(str(k)), leaf) for k, leaf in enumerate(leaves)]
        return jax.tree_util.tree_unflatten(structure, filled)


def _remove(checkpoint: Path) -> None:
    """At once for those who look, who never see half of it."""
    if os.path.lexists(checkpoint):
        discard(checkpoint.rename(draft_of(checkpoint)))


def _is_key(x: Any) -> bool:
    return hasattr(x, "dtype") and jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def _without_keys(state: Any) -> Any:
    """Numpy copies: a view would change when the donated buffer behind it is used again."""
    return jax.tree.map(lambda x: np.array(jax.random.key_data(x) if _is_key(x) else x), state)


def _saved_leaves(state: Any) -> dict[str, Any]:
    """Leaf number -> leaf, but for empty arrays (the words of the silent), which orbax refuses."""
    return {str(k): leaf for k, leaf in enumerate(jax.tree.leaves(state)) if leaf.size}


def _plain_shape(x: Any) -> jax.ShapeDtypeStruct:
    if _is_key(x):
        x = jax.eval_shape(jax.random.key_data, x)
    return jax.ShapeDtypeStruct(x.shape, x.dtype)


def _with_key(saved: Any, like: Any) -> Any:
    if saved is None:
        return np.zeros(like.shape, like.dtype)
    return jax.random.wrap_key_data(saved) if _is_key(like) else saved


def _check_room(folder: Path, leaves: Any) -> None:
    """Raises OSError if a disk is as good as full: its threads would say so for orbax, each with its traceback."""
    needed = sum(leaf.nbytes for leaf in jax.tree.leaves(leaves)) + BESIDE
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _hash_files(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of all files but the record. Raises RunError for a link, OSError."""
    there = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(folder)): sha256(path) for path in there if path != folder / RECORD}


def _told(error: Exception) -> str:
    return one_line(str(error)) or type(error).__name__
