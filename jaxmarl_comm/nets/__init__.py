"""Networks of a team of agents. The only files that know flax."""
