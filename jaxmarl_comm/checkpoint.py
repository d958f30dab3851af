"""Saving and loading the whole state of a run. The only file that knows orbax."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

KEEP = 2  # newest checkpoints kept, so that one damaged file does not cost the run
CHECKSUMS = "sha256.json"


logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs what is raised anyway


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used, told in one line."""


class Checkpoints:
    """The checkpoints of one run, by iteration. Each appears under its name only once it is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=KEEP, create=True, enable_async_checkpointing=False)
        self.manager = ocp.CheckpointManager(self.folder, options=options)

    @property
    def latest(self) -> int | None:
        """Iteration of the newest one, None if there is none."""
        return self.manager.latest_step()

    def save(self, iteration: int, state: Any) -> None:
        """Save a pytree of arrays and PRNG keys, with checksums of its files."""
        if iteration != self.latest:
            self.manager.save(iteration, args=ocp.args.StandardSave(_saved_leaves(_without_keys(state))))
            checksums = self.folder / str(iteration) / CHECKSUMS
            checksums.write_text(json.dumps(_hash_files(checksums.parent)), encoding="utf-8")

    def load(self, iteration: int, like: Any) -> Any:
        """The saved pytree. like: one of the same structure, shapes and types (`jax.eval_shape` will do).

        Raises CheckpointError if it is damaged or of another shape.
        """
        self._check_files(self.folder / str(iteration))
        shapes = _saved_leaves(jax.tree.map(_plain_shape, like))
        try:
            loaded = self.manager.restore(iteration, args=ocp.args.StandardRestore(shapes))
        except Exception as error:  # orbax and what lies beneath it raise many kinds
            raise CheckpointError(
                f"checkpoint {self.folder / str(iteration)} is damaged or of another run: {_first_line(error)}"
            ) from error
        if jax.tree.map(_plain_shape, loaded) != shapes:
            raise CheckpointError(f"checkpoint {self.folder / str(iteration)} is of another run: shapes differ")
        leaves, structure = jax.tree_util.tree_flatten(like)
        filled = [_with_key(loaded.get(str(k)), leaf) for k, leaf in enumerate(leaves)]
        return jax.tree_util.tree_unflatten(structure, filled)

    def _check_files(self, checkpoint: Path) -> None:
        """Compare with the checksums, if the run lived to write them; orbax's errors on damage are hard to read."""
        checksums = checkpoint / CHECKSUMS
        try:
            expected = json.loads(checksums.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError:
            expected = {CHECKSUMS: ""}
        found = _hash_files(checkpoint)
        damaged = [name for name, digest in expected.items() if found.get(name) != digest]
        if damaged:
            raise CheckpointError(
                f"checkpoint {checkpoint} is damaged (file {damaged[0]}); "
                "delete that folder to go on from the one before it"
            )


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


def _hash_files(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
