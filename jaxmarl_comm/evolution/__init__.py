"""Populations that evolve while they learn: in one program, members side by side, selected on common starts."""
