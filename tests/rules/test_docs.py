"""What the docs say of the house is so, and all of it is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from test_deploy import variables

from core import chart, errors
from core.outbox import Event
from core.subscribers import Language
from menus.faces import FACES
from menus.languages import catalogue
from menus.screens import SCREENS
from workers.relay import JOBS

ROOT = Path(__file__).resolve().parents[2]
DOCS = {path.stem: path.read_text() for path in (ROOT / "docs").glob("*.md")}
PRODUCT = [
    path
    for package in ("core", "menus", "gateway", "workers")
    for path in (ROOT / package).rglob("*.py")
]

# Of the glossary's right column, what has no other meaning anywhere in the product.
NEVER_SAID = {
    "wallet",
    "cents",
    "nonce",
    "customer",
    "controller",
    "manager",
    "helper",
    "helpers",
    "util",
    "utils",
}


def sections(text):
    """Headings of the second level, and what stands below each."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


class TestProblems:
    def test_every_code_has_its_place_and_nothing_else_has(self):
        assert sorted(sections(DOCS["problems"])) == sorted(each.code for each in errors.leaves())

    @pytest.mark.parametrize("error", FACES, ids=lambda error: error.code)
    def test_says_what_a_phone_says(self, error):
        said = sections(DOCS["problems"])[error.code]
        english = FACES[error].words.msgid
        swahili = catalogue(Language.KISWAHILI).messages[english]
        assert f"- en: {english}\n" in said
        assert f"- sw: {swahili}\n" in said


class TestRunbook:
    def test_names_every_setting(self):
        named = set(re.findall(r"`([A-Z][A-Z_]+)`", DOCS["runbook"]))
        assert variables() <= named
        assert {name for name in named if name.startswith("KABAMBE_")} <= variables()

    def test_names_every_event_of_the_logs(self):
        logged = {
            argument.value
            for path in PRODUCT
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log.")
            for argument in node.args
            if isinstance(argument, ast.Constant)
        }
        assert len(logged) > 15
        assert logged == set(re.findall(r"`([a-z]+\.[a-z_]+)`", sections(DOCS["runbook"])[
            "What to look at"
        ]))  # fmt: skip


class TestLedger:
    @pytest.mark.parametrize("place", chart.CHART, ids=lambda place: place.path)
    def test_shows_the_whole_chart(self, place):
        bound = {0: "≥ 0"}.get(place.balance_min) or {0: "≤ 0"}.get(place.balance_max) or "any"
        row = (
            f"| `{place.path}` | {place.side} | {bound} | {place.mode.name.lower()} "
            f"| {place.meaning} |"
        )
        assert row in DOCS["ledger"]


class TestGlossary:
    def test_its_other_words_are_in_no_name(self):
        right_column = " ".join(
            row.split("|")[3] for row in DOCS["glossary"].splitlines() if row.count("|") == 4
        )
        assert set(re.findall(r"\w+", right_column)) >= NEVER_SAID - {"helpers", "utils"}
        for path in PRODUCT:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.arg):
                    name = node.arg if isinstance(node, ast.arg) else node.name
                    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
                    words = set(snake.replace("wallet_number", "").split("_"))
                    assert not words & NEVER_SAID, f"{path}: {name}"


def test_every_event_is_in_the_docs():
    for event in Event:
        assert f"`{event}`" in DOCS["architecture"], event


def test_every_screen_is_in_the_docs():
    shown = set(re.findall(r"`([a-z]+\.[A-Z]\w+)`", sections(DOCS["architecture"])["Screens"]))
    assert shown == set(SCREENS)


@pytest.mark.parametrize(
    "job",
    JOBS,
)
def test_every_job_is_in_the_docs_with_why_it_may_run_twice(job):
    assert f"| `{job}` |" in sections(DOCS["architecture"])["Jobs"]


def test_every_link_leads_somewhere():
    for path in [*(ROOT / "docs").rglob("*.md"), ROOT / "CHANGELOG.md"]:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
            assert link.startswith("https://") or (path.parent / link).exists(), f"{path}: {link}"


def test_decisions_are_numbered_without_a_gap():
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("0*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
