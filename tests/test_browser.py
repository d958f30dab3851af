"""A run's page in headless Chromium: what a reader does with it works, and it asks nobody for anything.

Needs Node, and npm's @sparticuz/chromium and playwright-core in the folder that BROWSER names; `.ci/run` installs them.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from jaxmarl_comm import make_report, train_wrapper
from runs import TINY

BROWSER = os.environ.get("BROWSER")
DRIVER = Path(__file__).with_name("browser.mjs")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not BROWSER, reason="BROWSER names no folder in which npm has installed a browser"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    train_wrapper({**TINY, "num_seeds": 2, "comm.preset": "gumbel"}, run)
    return make_report(run)


@pytest.mark.parametrize(("width", "height"), [(1240, 900), (390, 844)], ids=["desk", "phone"])
def test_a_reader_can_play_scrub_choose_and_switch(page, width, height):
    command = ["node", DRIVER, BROWSER, page, width, height]
    driven = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert driven.returncode == 0, driven.stderr
    seen = json.loads(driven.stdout)
    assert seen["errors"] == [] and seen["asked"] == []
    assert seen["width"] <= width
    assert any("muted" in take for take in seen["takes"]) and len(seen["takes"]) == 3
    assert seen["plays"] != seen["begins"]
    assert "3" in seen["scrubbed"] and "5" in seen["clicked"]
    assert seen["chosen"] and seen["switched"]
