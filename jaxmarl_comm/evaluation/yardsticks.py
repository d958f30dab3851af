"""What a trained team is held against: the team that it was, and scripted ones. None of it waits for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.baselines import play_baselines
from jaxmarl_comm.evaluation.communication import bad_channel_player, exchange_meter, speaking
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.plays import evaluation_key, player
from jaxmarl_comm.evaluation.stats import Estimate
from jaxmarl_comm.meanwhile import Meanwhile


class Measured(NamedTuple):
    """untrained: episodes `[seeds, E, ...]` of the teams that training begins with; spoken, exchanged: what `speaking`
    and `exchange_meter` say of them. scripted: name -> episodes `[1, E, ...]`.
    """

    untrained: Episodes
    spoken: dict[str, Estimate]
    exchanged: dict[str, Estimate]
    scripted: dict[str, Episodes]


class Yardsticks:
    """In the episodes of an evaluation; with the programs that play them, which compile when they are first used."""

    def __init__(self, cfg: Config, env: Env, algorithm: Algorithm, untrained: Callable[[], Any]) -> None:
        """untrained: gives the teams of all seeds with their initial parameters, a leading axis on every array."""
        self.cfg, self.env, self.algorithm, self.untrained = cfg, env, algorithm, untrained
        self.batch, self.key = Batch(env, cfg.eval_episodes), evaluation_key(cfg)
        self.play_seeds = player(cfg, self.batch, algorithm, self.key)
        self.exchange = exchange_meter(cfg, env, algorithm)
        self.on_bad_channel = bad_channel_player(cfg, env)
        self.begun: Meanwhile[Measured] | None = None

    def begin(self) -> None:
        """Measure while this thread trains, unless that has begun: most of it is compiling."""
        if self.begun is None:
            self.begun = Meanwhile(self._measure_and_compile)

    def measured(self) -> Measured:
        """What was found meanwhile, or is found now."""
        return self.begun.result() if self.begun else self._measure(self.untrained())

    def _measure_and_compile(self) -> Measured:
        measured = self._measure(teams := self.untrained())
        if self.on_bad_channel:
            of_one = jax.tree.map(lambda x: x[:1], teams)
            self.on_bad_channel(of_one, "noise", 0.0)  # compiles it; what it finds is of no use
        return measured

    def _measure(self, teams: Any) -> Measured:
        played = self.play_seeds(teams, "greedy")
        spoken, exchanged = speaking(self.cfg, self.env, played), self.exchange(teams, lambda line: None)
        return Measured(played, spoken, exchanged, play_baselines(self.batch, self.key))
