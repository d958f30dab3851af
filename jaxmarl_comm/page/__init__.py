"""Pages for a browser, each one file that needs nothing else: a run's report, several runs side by side, replays."""
