"""Programs that run seldom are compiled in less time, and compute what others do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.compiling import jit_quickly


def options_asked(monkeypatch):
    """What `jax.jit` is asked for, and still does."""
    asked, usual = [], jax.jit

    def jit(function, **options):
        asked.append(options)
        return usual(function, **options)

    monkeypatch.setattr(jax, "jit", jit)
    return asked


@pytest.mark.optimised
def test_what_runs_seldom_is_optimised_less_and_computes_the_same(monkeypatch):
    """That XLA knows the option is seen in that it compiles: it refuses those that it does not know."""
    asked = options_asked(monkeypatch)
    program = jit_quickly(lambda x, y: (jnp.tanh(x @ y).sum(axis=0), x * 2), donate_argnums=0)
    assert asked[0]["compiler_options"] == {"xla_backend_optimization_level": 1} and asked[0]["donate_argnums"] == 0
    x, y = np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(0, 1, 8).reshape(4, 2)
    of_columns, doubled = program(jnp.array(x), y)
    np.testing.assert_allclose(of_columns, np.tanh(x @ y).sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(doubled, 2 * x, rtol=1e-6)


@pytest.mark.optimised
@pytest.mark.parametrize("backend", ["gpu", "tpu"])
def test_accelerators_compile_as_they_do(monkeypatch, backend):
    asked = options_asked(monkeypatch)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    jit_quickly(lambda x: x)
    assert asked[0]["compiler_options"] is None


def test_who_has_most_optimisations_off_has_them_off_here_too(monkeypatch):
    asked = options_asked(monkeypatch)
    jit_quickly(lambda x: x)
    assert asked[0]["compiler_options"] is None
