"""The compiled assignment costs what scipy's does."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from jaxmarl_comm.envs.mpe.assignment import assigned_costs


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 8, 13])
def test_cheapest_assignment(n: int, ties: bool) -> None:
    costs = np.random.default_rng(n).random((200, n, n))
    if ties:
        costs = np.round(3 * costs)
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(jax.vmap(assigned_costs))(costs))
    for mine, matrix in zip(found, costs, strict=True):
        assert np.isclose(mine.sum(), matrix[linear_sum_assignment(matrix)].sum(), rtol=0, atol=1e-12)
        assert all(np.isin(cost, row) for cost, row in zip(mine, matrix, strict=True))


@pytest.mark.parametrize("n", [4, 7])
def test_nan_stays_nan_and_ends(n: int) -> None:
    assert np.isnan(assigned_costs(jnp.full((n, n), jnp.nan))).all()
