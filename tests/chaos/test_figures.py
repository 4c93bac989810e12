"""A figure is missed when its goal is, when its control goes unnoticed, and when it is absent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from chaos.figures import Control, Figures
from chaos.neighbours import Neighbours


@pytest.fixture
def figures() -> Figures:
    return Figures()


def test_what_is_met_is_no_miss(figures):
    figures.none("R1 off", 0, broken="no lock", control=7)
    figures.at_most("R7 seconds", 0.99951, "s", 1.0)
    figures.exactly("R9 winners", 1, "1", 1, control=Control("no lock", 2, tripped=True))
    figures.at_least("kills", 4, "1", 4)
    figures.told("recovery", 0.4, "s")
    assert figures.missed == []


@pytest.mark.parametrize(
    "miss",
    [
        lambda figures: figures.none("R1 off", 1),
        lambda figures: figures.at_most("R1 off", 1.001, "s", 1.0),
        lambda figures: figures.exactly("R1 off", 0, "1", 1),
        lambda figures: figures.at_least("R1 off", 3, "1", 4),
    ],
)
def test_a_goal_that_is_not_reached_is_a_miss(figures, miss):
    miss(figures)
    assert figures.missed == ["R1 off"]
    assert "MISSED" in figures.table()


def test_a_control_that_finds_nothing_is_a_miss_although_the_goal_is_met(figures):
    figures.none("R1 off", 0, broken="no lock", control=0)
    assert figures.missed == ["R1 off"]
    assert "CONTROL UNNOTICED" in figures.table()


def test_what_was_only_told_is_still_absent(figures):
    figures.none("R1 off", 0)
    figures.told("R11 something about recovery", 1, "s")
    assert figures.absent(["R1", "R11"]) == ["R11"]


def test_takes_in_what_another_run_printed(figures, capsys):
    other = Figures(is_told=True)
    other.none("R2 below", 3, broken="no bound", control=9)
    other.told("recovery", 0.4, "s")
    printed = capsys.readouterr().out
    assert [json.loads(line)["name"] for line in printed.splitlines()] == ["R2 below", "recovery"]
    figures.take(printed)
    assert (figures.found, figures.missed) == (other.found, ["R2 below"])


def test_the_table_is_in_the_order_of_the_requirements(figures):
    figures.told("kills", 4, "1")
    figures.none("R11 last", 0)
    figures.none("R2 first", 0, broken="a rule", control=1_234)
    lines = figures.table().splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["R2", "R11", "kills"]
    assert "1,234: a rule" in lines[0]


def test_a_time_is_judged_where_the_machine_is_ours_alone(figures):
    figures.soon("R7 seconds", 1.2, 1.0, others=0.1)
    assert (figures.missed, figures.absent(["R7"])) == ([], [])
    assert "NOT JUDGED" in figures.table()
    figures.judges_times = True
    figures.soon("R7 in the long form", 1.2, 1.0, others=0.9)
    assert figures.missed == ["R7 in the long form"]


def test_our_own_work_and_our_childrens_is_no_neighbours():
    spun = "import time; e = time.process_time() + 0.5\nwhile time.process_time() < e: pass"
    neighbours = Neighbours()
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", spun], check=True)
    with_them = neighbours.share() * (time.monotonic() - began) * (os.cpu_count() or 1)
    counted = sum(os.times()[2:4])
    assert counted >= 0.5
    assert with_them <= (time.monotonic() - began) * (os.cpu_count() or 1) - 0.5 + 0.05
