"""simple_crypto_v3: Alice tells Bob one bit over a channel that Eve hears too; Alice and Bob share a secret key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD, MPETask, one_hot
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

NUM_WORDS = 4  # only 0 and 1 are ever meant
EVE, BOB, ALICE = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class SimpleCrypto(MPETask):
    """`choice` is (the bit to tell, the key). Nobody moves: Bob and Eve answer with the word they believe is meant."""

    name = "simple_crypto_v3"
    agents = ("eve_0", "bob_0", "alice_0")
    teams = (ADVERSARY, GOOD, GOOD)
    num_choices = (2, 2)
    num_goals = 2

    @cached_property
    def world(self) -> World:
        return World(agents=(Body(size=0.05, speaks=True),) * 3, landmarks=(Body(size=0.05),) * 2, dim_c=NUM_WORDS)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """Eve [4]: Alice's word. Bob [8]: the key 4, Alice's word 4. Alice [8]: the bit 4, the key 4."""
        goal, key = one_hot(state.choice, NUM_WORDS)
        heard = state.say[ALICE]
        return {
            "eve": heard[None],
            "bob": jnp.concatenate([key, heard])[None],
            "alice": jnp.concatenate([goal, key])[None],
        }

    def rewards(self, state: WorldState) -> Array:
        """Eve is paid for her own error, Bob and Alice for hers against Bob's; silence counts as no error."""
        miss = state.say - one_hot(state.choice[0], NUM_WORDS)
        error = jnp.where(jnp.any(state.say != 0, axis=-1), jnp.sum(miss * miss, axis=-1), 0.0)
        team = error[EVE] - error[BOB]
        return jnp.stack([-error[EVE], team, team])

    def goals(self, state: WorldState) -> Array:
        unknown = jnp.full_like(state.choice[0], -1)
        return jnp.stack([unknown, unknown, state.choice[0]])

    def shared_key(self, state: WorldState) -> Array:
        """What Eve lacks."""
        return state.choice[1]

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: Bob's loudest word is the bit, and Eve's is not; Eve's: hers is. Distance: of Bob's to the bit's."""
        spoke = jnp.any(state.say != 0, axis=-1)
        right = spoke & (jnp.argmax(state.say, axis=-1) == state.choice[0])
        distance = norm(state.say[BOB] - one_hot(state.choice[0], NUM_WORDS))
        return {"success": jnp.stack([right[BOB] & ~right[EVE], right[EVE]]), "distance": distance}
