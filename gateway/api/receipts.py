"""`/api/v1/receipts`: what the book has under a reference, and the proof that it has."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import seal_log
from core.access.principals import Permission
from core.orders import UnknownOrder
from gateway import problems
from gateway.api import edge, ordering
from gateway.api.access import needs
from gateway.api.description import refuses, tells
from gateway.api.edge import Api
from gateway.api.schemas.orders import Receipt
from gateway.problems import Halted

TAG: Final = {"name": "Receipts", "description": "What the book has, for both sides, and proof."}


def door(_api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("receipts", __name__, url_prefix="/api/v1/receipts", tag=TAG)

    @door.get("/<reference>")
    @needs(Permission.READ)
    @refuses(UnknownOrder)
    @door.output(Receipt)
    def show(reference: str) -> Receipt:
        """Show what moved under a reference, as one's own side of it."""
        return ordering.receipt(edge.person(), reference=reference)

    @door.get("/<reference>/proof")
    @needs(Permission.READ)
    @refuses(UnknownOrder)
    @tells("text/plain")
    def proof(reference: str) -> Response:
        """Prove that the log has it. Anybody can check that with verifier/receipt.py."""
        seal = ordering.receipt(edge.person(), reference=reference).seal
        found = None if seal is None else seal_log.proof(edge.reading(), seal)
        if found is None:
            raise Halted(problems.NOT_HERE)
        answer = Response(found, content_type="text/plain; charset=utf-8")
        answer.headers["Content-Disposition"] = 'attachment; filename="receipt.tlog-proof"'
        return answer

    return door
