"""`measure.py`: how fast environments step; `command.py`: the command that prints it."""
