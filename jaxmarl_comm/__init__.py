"""Agents that learn to talk: MPE tasks, MAPPO and a differentiable channel in one jit-compiled JAX program."""
