"""What tests share."""

import jax
import pytest


@pytest.fixture
def compile_quickly():
    """For tests that compile more than they run: half the time to compile, in exchange for slower programs."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
