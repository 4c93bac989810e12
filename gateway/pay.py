"""`/pay/<code>`: a payment link as a page, for small screens: how to pay, on any phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

import segno
from flask import Blueprint, Response, abort, request
from markupsafe import Markup

from core import payment_links
from core.db import Databases
from core.payment_links import LinkState, UnknownLink
from core.subscribers import Language
from gateway.small_pages import SmallPage
from menus.documents import link as words
from menus.languages import spoken

_PAGE: Final = SmallPage(
    "pay.html",
    """
body { font: 1.05rem/1.5 system-ui, sans-serif; }
main { max-width: 26rem; }
h1 { font-size: 1.35rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
.amount { font-size: 2rem; font-weight: 700; margin: .25rem 0 0; color: var(--green);
  font-variant-numeric: tabular-nums; }
.memo { margin: 0; color: var(--quiet); overflow-wrap: anywhere; }
section, .over { padding: 1rem; margin: 1rem 0 0; }
ol { margin: 0; padding-left: 1.4rem; }
li { margin: .15rem 0; overflow-wrap: anywhere; }
.qr { background: #fff; border-radius: .5rem; padding: .5rem; text-align: center; }
.qr svg { width: 100%; max-width: 15rem; height: auto; display: block; margin: 0 auto; }
.code { text-align: center; letter-spacing: .12em; margin: .5rem 0 0; color: var(--quiet); }
footer { text-align: center; color: var(--quiet); padding: 0 0 1.5rem; }
""",
    {"Cache-Control": "no-store", "Vary": "Accept-Language"},
)


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
        page = _PAGE.drawn(
            page=words.page(link, Language(best)),
            language=best,
            qr=Markup(drawn.svg_inline(border=2, omitsize=True)),  # noqa: S704 - of our own address
        )
        over = link.state in (LinkState.EXPIRED, LinkState.CLOSED)
        status = HTTPStatus.GONE if over else HTTPStatus.OK
        return _PAGE.answer(page, status=status)

    return door
