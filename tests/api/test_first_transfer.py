"""docs/api.md: the first transfer in five steps, run as it stands against a running house."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from datetime import timedelta
from pathlib import Path

from house_parts import served

PAGE = Path(__file__).resolve().parents[2] / "docs/api.md"


def steps() -> list[str]:
    """The page's shell, block by block."""
    first = PAGE.read_text().partition("## The first transfer")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", first, flags=re.MULTILINE | re.DOTALL)


def test_five_steps_move_the_money(house, wanjiru, otieno):
    script = "set -eu\n" + "\necho; echo ----\n".join(steps())
    assert len(steps()) == 5
    house.worker_is_elsewhere = True
    with served(house.app) as url:
        ran = subprocess.Popen(
            ["sh", "-c", script],
            env=os.environ | {"KABAMBE": url, "SANDBOX": house.country_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while ran.poll() is None:  # meanwhile the relay and the workers do what they do
            house.bell.beat(timedelta(0))
            house.send_messages()
            time.sleep(0.02)
        out, err = ran.communicate()
    assert ran.returncode == 0, out + err
    told = [part.strip() for part in out.split("----")]
    quoted, sent = json.loads(told[3]), json.loads(told[4])
    assert quoted["to"]["name"] == "Oti***"
    assert (sent["state"], sent["lines"][0]["amount"]["value"]) == ("done", "-500.00")
    assert house.bank.balance_of("+254733000002") == 500_00
