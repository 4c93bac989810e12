"""`/problems`: the page that a problem's `type` names, with a place for every code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response

from core.errors import DomainError, leaves
from core.subscribers import Language
from gateway import problems
from gateway.small_pages import SmallPage
from menus.faces import FACES
from menus.languages import catalogue, spoken

_PAGE: Final = SmallPage(
    "problems.html",
    """
body { font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 44rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
h2 { font: 600 1.05rem/1.3 ui-monospace, monospace; margin: 0; }
section { padding: .75rem 1rem; margin: .75rem 0 0; scroll-margin-top: .75rem; }
section:target { border-color: var(--green); box-shadow: 0 0 0 1px var(--green); }
p { margin: .35rem 0 0; }
a { color: inherit; text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
code { font: .95em ui-monospace, monospace; }
.quiet, dl { color: var(--quiet); font-size: .9rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 .6rem; margin: .5rem 0 0; }
dd { margin: 0; }
""",
    {"Cache-Control": "public, max-age=3600"},
)


@dataclass(frozen=True, slots=True)
class Explained:
    """
    A problem in words.

    Args:
        code: What programs know it by; its place on the page.
        status: What HTTP calls it.
        title: What it means.
        members: What else it tells.
        said: What a phone says, in each language that has words for it, with the members' names
            in their gaps.
    """

    code: str
    status: HTTPStatus
    title: str
    members: Sequence[str]
    said: Sequence[tuple[str, str]]


def door() -> Blueprint:
    """Hang the page."""
    door = Blueprint("problems", __name__)

    @cache
    def page() -> str:
        return _PAGE.drawn(problems=explained())

    @door.get("/problems")
    def show() -> Response:
        return _PAGE.answer(page())

    return door


def explained() -> list[Explained]:
    """Every problem there is, by its code."""
    ours = [_of_error(error) for error in leaves()]
    of_http = [Explained(each.code, each.status, each.title, [], []) for each in problems.OF_HTTP]
    return sorted([*ours, *of_http], key=lambda each: each.code)


def _of_error(error: type[DomainError]) -> Explained:
    words = FACES[error].words.msgid
    return Explained(
        error.code,
        problems.status_of(error),
        problems.title_of(error),
        [field.name for field in fields(error)],
        [
            (each.value, said)
            for each in spoken()
            if (said := words if each is Language.ENGLISH else catalogue(each).messages.get(words))
        ],
    )
