"""`/api/v1/log`: the sealed log, which anybody may read. The same as below `/log`."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from gateway import log
from gateway.api import edge
from gateway.api.access import public
from gateway.api.description import tells
from gateway.api.edge import Api
from gateway.api.schemas.log import Block

TAG: Final = {"name": "Log", "description": "Every journal, sealed: nobody can rewrite the book."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("sealed", __name__, url_prefix="/api/v1/log", tag=TAG)

    @door.get("/checkpoint")
    @public
    @tells("text/plain", may_miss=True)
    def checkpoint() -> Response:
        """Show the newest signed checkpoint (C2SP tlog-checkpoint) that was said outside."""
        return log.checkpoint(api.outside)

    @door.get("/blocks/<int:number>")
    @public
    @door.output(Block)
    def block(number: int) -> Response:
        """Show a block: the hashes of at most fifty leaves, and the root at its end."""
        return log.block(edge.reading(), number)

    @door.get("/proof/<seal>")
    @public
    @tells("text/plain")
    def proof(seal: str) -> Response:
        """Prove that the log has what is under a receipt's seal (C2SP tlog-proof)."""
        return log.proof(edge.reading(), seal)

    return door
