"""Published protocols, each as a setting of the one channel. Chosen by `comm.preset`, overridable field by field.

Recurrent memories, and training other than by the one gradient of PPO, are not taken over from the papers.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # Nobody hears anybody: the control.
    "none": {"rounds": 0},
    # The task's own discrete words, reinforced as actions: RIAL's setting (Foerster et al. 2016).
    "speech": {"rounds": 0, "speech": "reinforced"},
    # Bits through a noisy sigmoid in training and a threshold in execution, heard a step later (Foerster et al. 2016).
    "dial": {"rounds": 1, "discretise": "dru", "dru_noise": 2.0, "delay": 1, "aggregate": "sum"},
    # The mean of the others' real-valued messages (Sukhbaatar et al. 2016).
    "commnet": {"rounds": 1},
    # CommNet where each agent learns whether to send (Singh et al. 2019).
    "ic3net": {"rounds": 1, "message_dim": 16, "gate": "learned", "integrate": "add"},
    # Messages signed with keys, and listeners who attend to some; two rounds (Das et al. 2019).
    "tarmac": {"rounds": 2, "aggregate": "attention", "key_dim": 16, "integrate": "gru"},
    # One of ten words, drawn and learned by a straight-through Gumbel-softmax (Mordatch and Abbeel 2018).
    "gumbel": {"rounds": 1, "message_dim": 10, "discretise": "gumbel", "aggregate": "concat"},
    # Hard attention decides whom to hear, soft attention how much (Liu et al. 2020).
    "g2anet": {"rounds": 1, "aggregate": "hard_attention"},
    # A learned weight decides which agent may send at a step, on a medium for one (Kim et al. 2019).
    "schednet": {"rounds": 1, "encoder": "mlp", "gate": "top_k", "gate_k": 1, "aggregate": "concat"},
    # Neighbours on a graph, each heard for itself, a step late (Chu et al. 2020).
    "neurcomm": {"rounds": 1, "encoder": "mlp", "route": "ring", "delay": 1, "aggregate": "concat", "integrate": "gru"},
}
