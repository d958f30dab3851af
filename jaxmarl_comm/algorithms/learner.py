"""What learners have in common, whatever they learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import jax
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.algorithms.hyperparams import present, varied
from jaxmarl_comm.algorithms.team import Team, TeamActor
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config

Array = jax.Array
Settings = TypeVar("Settings", bound="Config")


class Learner(Generic[Settings]):
    """Pure functions, closed over the config and the networks' shapes. Nothing here changes.

    A subclass adds `init` and `update`, as Algorithm has them; its states have `params`, `hparams` and `iteration`.
    """

    def __init__(self, cfg: Settings, env: Env) -> None:
        self.cfg, self.env, self.batch = cfg, env, Batch(env, cfg.num_envs)
        self.actor = TeamActor(cfg, env)
        weights = [cfg.reward_sharing_weight(team) for team in env.team_names]
        self.sharing = np.array([weights[team] for team in env.teams])  # of each agent

    def init(self, key: Array) -> Any:
        """See Algorithm."""
        raise NotImplementedError

    def update(self, state: Any) -> tuple[Any, dict[str, Array]]:
        """See Algorithm."""
        raise NotImplementedError

    def algorithm(
        self, state_axes: Any, heritage: tuple[str, ...], shown: Sequence[str], together: int = 1
    ) -> Algorithm:
        """This learner as its users know it. shown: measures of which each team has one."""
        return Algorithm(
            init=self.init,
            update=self.update,
            team=self.team,
            act=self.actor.act,
            view=self.actor.view,
            memory=self.actor.memory,
            vary=self.vary,
            state_axes=state_axes,
            heritage=heritage,
            shown=tuple(name for measure in shown for name in self.env.per_team(measure)),
            together=together,
        )

    def vary(self, state: Any, changes: Mapping[str, Array]) -> Any:
        """The state with other hyperparameters: see `varied`."""
        return state._replace(hparams=varied(self.cfg, self.actor.channel, state.hparams, changes))

    def progress(self, state: Any) -> Array:
        """From 0 to 1."""
        return state.iteration / self.cfg.num_iters

    def present(self, state: Any) -> Any:
        """The hyperparameters as their schedules have them at this iteration: see `present`."""
        return present(self.cfg, self.env.team_names, state.hparams, self.progress(state))

    def team(self, state: Any) -> Team:
        """The team as it stands, with the temperature that its words have come to."""
        return Team(state.params.policy, self.actor.present(state.hparams.comm, self.progress(state)))

    def per_team(self, x: Array) -> Array:
        """`[..., N]` -> `[teams]`: the mean over all but teams."""
        return self.env.team_means(x.mean(axis=tuple(range(x.ndim - 1))))

    def of_teams(self, measures: Mapping[str, Sequence[Array] | Array]) -> dict[str, Array]:
        """Measure -> `[teams]` as name -> `[]`, under the names of `Env.per_team`."""
        return {name: x for key, of in measures.items() for name, x in zip(self.env.per_team(key), of, strict=True)}
