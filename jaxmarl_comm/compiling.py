"""How programs are compiled that run seldom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax


def jit_quickly(function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit`, with its options, of what runs but now and then: to compile it would take longer than to run it.

    On CPUs LLVM optimises it less, which takes a third to a half of the time for programs that begin a run.
    """
    usual = jax.default_backend() != "cpu" or jax.config.read("jax_disable_most_optimizations")
    return jax.jit(function, compiler_options=None if usual else {"xla_backend_optimization_level": 1}, **options)
