"""What agents tell each other: `channel.py` is the pipeline, `presets.py` the protocols, `metrics.py` the proof."""

from jaxmarl_comm.comm.presets import PRESETS

__all__ = ["PRESETS"]
