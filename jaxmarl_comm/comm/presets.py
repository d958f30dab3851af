"""Published protocols, each as a setting of the one channel. Chosen by `comm.preset`, overridable field by field."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # Nobody hears anybody: the control.
    "none": {"rounds": 0, "speech": False},
    # The task's own discrete words, reinforced as actions (RIAL's setting: Foerster et al. 2016).
    "speech": {"rounds": 0, "speech": True},
    # The mean of the others' real-valued messages, gradients included (CommNet: Sukhbaatar et al. 2016).
    "commnet": {"rounds": 1, "message_dim": 8, "speech": False},
}
