"""`measure.py`: how fast environments step; `training.py`: what channels cost; `command.py`: the command."""
