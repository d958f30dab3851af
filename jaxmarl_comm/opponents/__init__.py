"""Sides of finished runs, to play against: taken from a run, copied into the folder of a new one, read from there."""
