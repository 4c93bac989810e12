"""`/problems`: the page that a problem's `type` names, with a place for every code."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, render_template
from markupsafe import Markup

from core.errors import DomainError, leaves
from core.subscribers import Language
from gateway import problems
from menus.faces import FACES
from menus.languages import catalogue, spoken

_STYLE: Final = """
:root { --ink: #14221b; --quiet: #55645c; --ground: #f4f7f5; --card: #fff; --line: #d9e2dc;
  --green: #0a7a43; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef5f0; --quiet: #a7b8ae;
  --ground: #0e1512; --card: #17211c; --line: #2a3830; --green: #5fd39a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 1.25rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font: 600 1.05rem/1.3 ui-monospace, monospace; margin: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: .75rem 1rem; margin: .75rem 0 0; scroll-margin-top: .75rem; }
section:target { border-color: var(--green); box-shadow: 0 0 0 1px var(--green); }
p { margin: .35rem 0 0; }
a { color: inherit; text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
code { font: .95em ui-monospace, monospace; }
.quiet, dl { color: var(--quiet); font-size: .9rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 .6rem; margin: .5rem 0 0; }
dd { margin: 0; }
"""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=3600",
}


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
        style = Markup(_STYLE)  # noqa: S704 - ours
        return render_template("problems.html", problems=explained(), style=style)

    @door.get("/problems")
    def show() -> Response:
        return Response(page(), HTTPStatus.OK, _HEADERS, mimetype="text/html")

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
