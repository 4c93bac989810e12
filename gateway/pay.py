"""`/pay/<code>`: a payment link as a page, for small screens: how to pay, on any phone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

import segno
from flask import Blueprint, Response, abort, render_template, request
from markupsafe import Markup

from core import payment_links
from core.db import Databases
from core.payment_links import LinkState, UnknownLink
from core.subscribers import Language
from menus.documents import link as words
from menus.languages import spoken

_STYLE: Final = """
:root { --ink: #14221b; --quiet: #55645c; --ground: #f4f7f5; --card: #fff; --line: #d9e2dc;
  --green: #0a7a43; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef5f0; --quiet: #a7b8ae;
  --ground: #0e1512; --card: #17211c; --line: #2a3830; --green: #5fd39a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1.05rem/1.5 system-ui, sans-serif; }
main { max-width: 26rem; margin: 0 auto; padding: 1.25rem 1rem; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
.amount { font-size: 2rem; font-weight: 700; margin: .25rem 0 0; color: var(--green);
  font-variant-numeric: tabular-nums; }
.memo { margin: 0; color: var(--quiet); overflow-wrap: anywhere; }
section, .over { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1rem; margin: 1rem 0 0; }
ol { margin: 0; padding-left: 1.4rem; }
li { margin: .15rem 0; overflow-wrap: anywhere; }
.qr { background: #fff; border-radius: .5rem; padding: .5rem; text-align: center; }
.qr svg { width: 100%; max-width: 15rem; height: auto; display: block; margin: 0 auto; }
.code { text-align: center; letter-spacing: .12em; margin: .5rem 0 0; color: var(--quiet); }
footer { text-align: center; color: var(--quiet); padding: 0 0 1.5rem; }
"""
_POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}


def door(databases: Databases, clock: Callable[[], datetime], *, public_url: str) -> Blueprint:
    """Hang the page."""
    door = Blueprint("pay", __name__)

    @door.get("/pay/<code>")
    def show(code: str) -> Response:
        if not (code.isascii() and code.isalnum()):
            abort(HTTPStatus.NOT_FOUND)
        try:
            with databases() as session:
                link = payment_links.find(session, code=code, now=clock())
        except UnknownLink:
            abort(HTTPStatus.NOT_FOUND)
        codes = [language.value for language in spoken()]
        best = request.accept_languages.best_match(codes, default=Language.ENGLISH.value)
        drawn = segno.make(f"{public_url}/pay/{link.code}", error="m", micro=False)
        page = render_template(
            "pay.html",
            page=words.page(link, Language(best)),
            language=best,
            style=Markup(_STYLE),  # noqa: S704 - ours
            qr=Markup(drawn.svg_inline(border=2, omitsize=True)),  # noqa: S704 - of our own address
        )
        over = link.state in (LinkState.EXPIRED, LinkState.CLOSED)
        status = HTTPStatus.GONE if over else HTTPStatus.OK
        return Response(page, status, _HEADERS, mimetype="text/html")

    return door
