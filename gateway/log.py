"""
The log's public doors: `GET /log/{checkpoint,key,blocks/<number>,proof/<seal>}` and
`/log/consistency/<size>/<size>`.
"""

from __future__ import annotations

import base64
from typing import Final

from flask import Blueprint, Response, abort, jsonify
from sqlalchemy.orm import Session

from core import seal_log
from core.db import Databases
from core.seal_outside import Outside

_NUMBER_MAX: Final = 2**62
_TEXT: Final = "text/plain; charset=utf-8"


def door(databases: Databases, outside: Outside) -> Blueprint:
    """
    Hang the doors. Everybody may read them, and keep what they read.

    A checkpoint is shown when it has been said outside, not before.
    """
    door = Blueprint("log", __name__, url_prefix="/log")

    @door.get("/checkpoint")
    def _checkpoint() -> Response:
        return checkpoint(outside)

    @door.get("/key")
    def key() -> Response:
        verifier = outside.key()
        if verifier is None:
            abort(404, "Nothing has been sealed yet.")
        return _lasting(Response(verifier + "\n", content_type=_TEXT), seconds=3600)

    @door.get("/blocks/<int:number>")
    def _block(number: int) -> Response:
        with databases() as session:
            return block(session, number)

    @door.get("/proof/<seal>")
    def _proof(seal: str) -> Response:
        with databases() as session:
            return proof(session, seal)

    @door.get("/consistency/<int:older>/<int:newer>")
    def consistency(older: int, newer: int) -> Response:
        return _growth(databases, outside, older, newer)

    return door


def checkpoint(outside: Outside) -> Response:
    """Show the newest checkpoint that was said outside."""
    newest = outside.newest()
    if newest is None:
        abort(404, "Nothing has been sealed yet.")
    return _lasting(Response(newest.note, content_type=_TEXT), seconds=1)


def block(session: Session, number: int) -> Response:
    """Show a block: the hashes of its leaves, and the root at its end."""
    found = None if number > _NUMBER_MAX else seal_log.block(session, number)
    if found is None:
        abort(404, "There is no such block yet.")
    answer = jsonify(
        number=found.number,
        first=found.first,
        count=len(found.leaves),
        root=base64.b64encode(found.root).decode(),
        sealed_at=found.sealed_at.isoformat(),
        leaves=[base64.b64encode(leaf).decode() for leaf in found.leaves],
    )
    answer = _lasting(answer, seconds=365 * 86_400)
    answer.cache_control.immutable = True  # a block never changes
    return answer


def proof(session: Session, seal: str) -> Response:
    """Prove that what is under a seal is in the log."""
    found = seal_log.proof(session, seal)
    if found is None:
        abort(404, "Nothing under this seal is in the log. A new receipt's is, in a second.")
    answer = Response(found, content_type=_TEXT)
    answer.headers["Content-Disposition"] = 'attachment; filename="receipt.tlog-proof"'
    return _lasting(answer, seconds=300)


def _growth(databases: Databases, outside: Outside, older: int, newer: int) -> Response:
    """What shows that the log only grew between two sizes that it has had."""
    newest = outside.newest()
    if newest is None or not 0 < older <= newer <= newest.size:
        abort(404, "The log has not had these sizes.")
    with databases() as session:
        found = seal_log.consistency(session, older, newer)
    if found is None:
        abort(404, "The log in the database is shorter than the one that was published.")
    lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in found)
    answer = _lasting(Response(lines, content_type=_TEXT), seconds=365 * 86_400)
    answer.cache_control.immutable = True
    return answer


def _lasting(answer: Response, *, seconds: int) -> Response:
    answer.cache_control.public = True
    answer.cache_control.max_age = seconds
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
