"""The short form of `./run chaos`: every figure is there and met, and every control is noticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.figures import ANSWERED

ROOT = Path(__file__).resolve().parents[2]
CHAOS = [sys.executable, "-m", "chaos"]

pytestmark = pytest.mark.timeout(320)


@pytest.fixture
def place(tmp_path_factory) -> Path:
    """Where its folders are made, and nobody else's."""
    return tmp_path_factory.mktemp("c")


@pytest.fixture
def environment(place) -> dict[str, str]:
    # Engines of its own, whatever servers these tests are given.
    return {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")} | {
        "TMPDIR": str(place)
    }


def left_of(place: Path) -> list[str]:
    """What is still there: processes that name a folder of its, and the folders."""
    listed = subprocess.run(
        ["ps", "-axww", "-o", "command="], capture_output=True, text=True, check=True
    )
    running = [line for line in listed.stdout.splitlines() if f"{place}/" in line]
    return running + [each.name for each in place.iterdir()]


def test_everything_stands_and_every_control_is_noticed_and_nothing_is_left(environment, place):
    # One test, so that one process runs it once.
    ran = subprocess.run(
        [*CHAOS, "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    figures = [json.loads(line) for line in ran.stdout.splitlines()]
    missed = [each for each in figures if each["met"] is False]
    unnoticed = [each for each in figures if each["control"] and not each["control"]["tripped"]]
    assert (missed, unnoticed) == ([], []), ran.stderr
    assert ran.returncode == 0, ran.stderr
    for requirement in ANSWERED:
        about = [each for each in figures if each["name"].startswith(f"{requirement} ")]
        assert about, requirement
        assert all(each["goal"] is not None for each in about), requirement
        assert any(each["control"] for each in about), requirement
    assert left_of(place) == []


def test_nothing_is_left_when_it_is_interrupted_under_load(environment, place):
    with subprocess.Popen(
        [*CHAOS, "--only", "book"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as chaos:
        assert chaos.stderr is not None
        assert any("killed 4 times under load" in line for line in chaos.stderr)
        chaos.send_signal(signal.SIGINT)
        _, said = chaos.communicate(timeout=60)
    assert chaos.returncode == 130, said
    assert left_of(place) == []
