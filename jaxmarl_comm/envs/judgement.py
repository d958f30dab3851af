"""What a task says of finished episodes, if it says that in the form in which it is reported."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.outside import in_words
from jaxmarl_comm.settings import ConfigError


def judgement(env: Env, starts: Any, returns: np.ndarray) -> dict[str, np.ndarray]:
    """What `Env.judge` says. Raises ConfigError, in one line, if it fails or says it in another form."""
    try:
        found = {name: np.asarray(values, float) for name, values in env.judge(starts, returns).items()}
    except Exception as error:  # whatever somebody's code does
        raise ConfigError(f"{env.name}: judge fails: {in_words(error)}") from error
    for name, values in found.items():
        if values.shape != returns.shape[:2]:
            raise ConfigError(
                f"{env.name}: judge gives {name} of shape {values.shape}, but must give {returns.shape[:2]}: of each "
                "seed's team in each episode"
            )
    return found
