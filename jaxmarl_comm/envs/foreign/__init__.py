"""PettingZoo environments of others, in Python, as tasks: `make_env("pettingzoo:mpe2.simple_spread_v3")`."""

PREFIX = "pettingzoo:"
"""Names of tasks that begin so go on with an importable module, or `module:callable`."""
