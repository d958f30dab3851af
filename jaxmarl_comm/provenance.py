"""What a run was started with: command, versions, commit and devices; nothing that tells whose machine it was."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jax

from jaxmarl_comm.checkpoint_record import package_version, versions

ABSOLUTE = re.compile(r"(?:(?<=[=:,{\[('\"\s])|^)(?:~[^/\s]*)?/(?:[^/:,}\])'\"]*/)*")
"""All of an absolute path but its last name, in a word of a command line or inside one."""
PATIENCE = 10  # seconds, for git


def provenance() -> dict[str, Any]:
    """Of a run that starts now. `commit` ends with -dirty where files were changed since; None outside a clone."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": shlex.join(without_folders(word) for word in sys.orig_argv),
        "commit": commit(Path(__file__).parent.parent),
        "devices": dict(Counter(device.device_kind for device in jax.devices())),
        "versions": versions() | {name: package_version(name) for name in ("mpe2", "pettingzoo")},
    }


def without_folders(word: str) -> str:
    """The same with the last names of absolute paths in their place: folders tell whose machine it is."""
    return ABSOLUTE.sub("", word)


@cache
def commit(clone: Path) -> str | None:
    """What is checked out there. A package that is installed among others is no clone, though it may lie in one."""
    if not (clone / ".git").exists():
        return None
    asked = ["git", "-C", str(clone), "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty"]
    unmoved = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE, env=unmoved)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
