"""What a run has saved: its whole state, to go on from, and the teams that did best on the way, to play."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxmarl_comm.best import Best, Better
from jaxmarl_comm.checkpoint import CheckpointError, Checkpoints, Record
from jaxmarl_comm.config import Config, ConfigError, build_config
from jaxmarl_comm.run_folder import RunError, RunFolder, check_goes_on

KEEP = 2  # newest states kept, so that one damaged file does not cost the run
LATEST, BEST = "latest", "best"


class Saved:
    """The checkpoints of a run, none of which is taken for its own unless it says so."""

    def __init__(
        self,
        cfg: Config,
        folder: RunFolder,
        like: Callable[[], Any],
        teams_of: Callable[[Any], Any],
        tell: Callable[[str], None],
    ) -> None:
        """like: the shapes of a state. teams_of: state -> the teams of all seeds."""
        self.cfg, self.folder, self.tell = cfg, folder, tell
        self.like, self.teams_of = like, teams_of
        self.states, self.best = Checkpoints(folder.checkpoints), Best(folder.best)

    @property
    def latest(self) -> int | None:
        """Iteration of the newest state, None if there is none."""
        return self.states.latest

    def load_state(self) -> tuple[Any, Record]:
        """(the newest state that is whole, what it says of itself).

        Raises RunError if there is none or if it belongs to another config, CheckpointError if all are damaged.
        """
        if self.latest is None:
            raise RunError(f"{self.folder.path} has no checkpoint yet")
        return self.states.load_newest(self.like(), self.check_belongs, self.tell)

    def load_teams(self, which: str | int) -> tuple[Any, Record]:
        """(the teams of all seeds, what their checkpoint says of itself): the latest, the best, or an iteration's.

        Raises RunError if there is none, or if it belongs to another config; CheckpointError if it is damaged.
        """
        best = self.best.checkpoints
        if which == LATEST:
            state, record = self.load_state()
            return self.teams_of(state), record
        if which in self.states.iterations:
            state, record = self.states.load_checked(int(which), self.like(), self.check_belongs)
            return self.teams_of(state), record
        shapes = jax.eval_shape(self.teams_of, self.like())
        if which == BEST and best.iterations:
            return best.load_newest(shapes, self.check_belongs, self.tell)
        if which in best.iterations:
            return best.load_checked(int(which), shapes, self.check_belongs)
        there = [LATEST, *[BEST] * bool(best.iterations), *sorted({*self.states.iterations, *best.iterations})]
        raise RunError(f"{self.folder.path} has no checkpoint {which!r}: there are {', '.join(map(str, there))}")

    def check_belongs(self, record: Record) -> None:
        """Raises RunError if a checkpoint is of a run that cannot go on under this config."""
        check_goes_on(self.config_of(record), self.cfg, self._where(record))

    def config_of(self, record: Record) -> Config:
        """What a checkpoint was trained with. Raises CheckpointError."""
        try:
            return build_config(record.config)
        except ConfigError as error:
            raise CheckpointError(f"{self._where(record)} of a config that is unknown here: {error}") from None

    def _where(self, record: Record) -> str:
        kind = self.states if record.greedy_return is None else self.best.checkpoints
        return f"checkpoint {kind.folder / str(record.iteration)} is"

    def save(self, iteration: int, state: Any, seconds: Mapping[str, float]) -> None:
        """Save a state, and let go of what no run needs any more. Raises RunError."""
        self.folder.check_there()
        self.states.save(iteration, state, self.cfg.model_dump(), seconds)
        self.states.forget(self.states.iterations[:-KEEP])
        self.best.forget_before(self.states.iterations[0])

    def save_best(self, iteration: int, better: Better, seconds: Mapping[str, float]) -> None:
        """Raises RunError."""
        self.folder.check_there()
        self.best.save(iteration, better, self.cfg.model_dump(), seconds)

    def rewind(self, iteration: int) -> None:
        """Forget what was saved after this iteration, which is damaged or will be saved again."""
        self.states.forget_after(iteration)
        self.best.rewind(iteration)
