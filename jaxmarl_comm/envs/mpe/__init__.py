"""MPE tasks: `world.py` is the physics, `task.py` what all tasks do alike, and each task has one file."""
