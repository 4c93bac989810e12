"""What the README tells people to type is typed here."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import pytest
from launched import REPOSITORY

from sandbox.environment import everything

README = (REPOSITORY / "README.md").read_text()
COMMANDS = [
    line.strip()
    for block in re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
DIALOGUE = re.findall(r"^```text\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)[0]

TYPED_ELSEWHERE = {
    "./run": "below, and through its whole life in test_run.py",
    "./run test": "it is what runs this",
    "./run bench ussd": "below, in short",
    "./run bench rest": "below, in short",
    "./run bench town": "below, with sixty people",
    "./run chaos": "tests/chaos runs it",
}


def typed(line, **variables):
    """Type a line in the repository; what was printed. Too slow, it is interrupted as by Ctrl-C."""
    with subprocess.Popen(
        ["sh", "-c", line],
        cwd=REPOSITORY,
        env=everything() | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as typing:
        try:
            out, err = typing.communicate(timeout=400)
        except subprocess.TimeoutExpired:
            os.killpg(typing.pid, signal.SIGINT)
            raise
    return typing.returncode, out, err


def without_reference(transcript):
    return re.sub(r"\bT[0-9A-Z]{9}\b", "…", transcript)


def test_every_command_works_while_it_runs(run, tmp_path):
    house = run(tmp_path / "home").ready()
    printed = {
        line: typed(line, KABAMBE_HOME=str(house.home))
        for line in COMMANDS
        if line not in TYPED_ELSEWHERE
    }
    assert len(printed) == 3  # two that dial, and help
    for status, _out, err in printed.values():
        assert (status, err) == (0, "")
    assert "./run bench" in printed["./run help"][1]
    (sending,) = [out for line, (_, out, _) in printed.items() if line.endswith("4071")]
    transcript, _, receipts = sending.partition("\n\nSMS from KABAMBE:\n")
    assert without_reference(transcript + "\n") == without_reference(DIALOGUE)
    assert "Sent KES 500.00 to Otieno" in receipts


@pytest.mark.parametrize(
    ("line", "at_least", "with_a_goal"), [("./run bench ussd", 20, 5), ("./run bench rest", 5, 1)]
)
def test_a_benchmark_prints_a_figure_a_line_and_ends_with_its_goals(line, at_least, with_a_goal):
    assert line in COMMANDS
    status, out, err = typed(f"{line} --quick")
    figures = [json.loads(line) for line in out.splitlines()]
    assert len(figures) > at_least, err
    for figure in figures:
        assert set(figure) == {"name", "value", "unit", "floor", "ratio", "goal", "met"}
    goals = [figure["met"] for figure in figures if figure["goal"] is not None]
    assert len(goals) == with_a_goal
    assert status == (0 if all(goals) else 1)


def test_sixty_people_live_in_town(tmp_path):
    picture = tmp_path / "town.svg"
    _status, out, err = typed(f"./run bench town --people 60 --picture {picture}")
    figures = {each["name"]: each["value"] for each in map(json.loads, out.splitlines())}
    assert figures.get("findings in the books") == 0, err  # none where it broke off: err says why
    assert figures["hops"] > 200
    assert figures["on the way: SMS written"] > 10
    drawn = picture.read_text()
    assert drawn.startswith("<svg")
    assert "SMS written, and gone through" in drawn


def test_continuous_integration_types_the_readmes_test_command():
    assert ".ci/run" not in README  # it is `./run test`, which runs this
    lines = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if "./run" in line] == ["exec ./run test"]
    assert "./run test" in COMMANDS


def test_it_shows_what_is_there():
    for place in re.findall(r"^\| `(\w+)/`", README, flags=re.MULTILINE):
        assert (REPOSITORY / place).is_dir(), place
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (REPOSITORY / link).exists(), link
    assert (REPOSITORY / "docs" / "phone.png").stat().st_size < 300_000
