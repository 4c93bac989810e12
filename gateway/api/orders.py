"""`/api/v1/orders`: what became of what was asked for."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint

from core.access.principals import Permission
from core.orders import UnknownOrder
from gateway.api import edge, ordering
from gateway.api.access import needs
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.orders import Ordered

TAG: Final = {"name": "Orders", "description": "What was asked for, and what became of it."}


def door(_api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("orders", __name__, url_prefix=ordering.PATH, tag=TAG)

    @door.get("/<reference>")
    @needs(Permission.READ)
    @refuses(UnknownOrder)
    @door.output(Ordered)
    def show(reference: str) -> Ordered:
        """Show an order of one's own: still placed, done or refused."""
        return ordering.told(edge.person(), reference=reference)

    return door
