"""`/api/v1/reversals`: what may be asked back, and asking for it. Staff decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from apiflask import APIBlueprint

from core import reversals, statements
from core.access.principals import Permission
from core.decisions import AlreadyRequested, NoReason
from core.ledger import Reason
from core.reversals import ReversalState, UnknownTransfer
from core.subscribers import Person
from gateway.api import edge
from gateway.api.access import needs
from gateway.api.auth import PINS
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import confirm
from gateway.api.schemas.orders import Line
from gateway.api.schemas.reversals import AskBack, AskedBack, AskedBacks, Eligible

TAG: Final = {"name": "Reversals", "description": "Money asked back. Staff decide; nothing moves."}
_LOOKED_AT: Final = 100
_COMES_BACK: Final = frozenset({Reason.TRANSFER, Reason.PAYMENT})


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("reversals", __name__, url_prefix="/api/v1/reversals", tag=TAG)

    @door.get("/eligible")
    @needs(Permission.READ)
    @door.output(Eligible)
    def eligible() -> Eligible:
        """Show which of the newest hundred movements may be asked back."""
        person = edge.person()
        sent = _sent(person)
        asked = _states(person, sent)
        lines = [line for line in sent if asked.get(line.reference) in (None, _DECLINED)]
        return Eligible(lines=[Line.of(line) for line in lines])

    @door.get("")
    @needs(Permission.READ)
    @door.output(AskedBacks)
    def show() -> AskedBacks:
        """Show what became of what was asked back, of the newest hundred movements."""
        person = edge.person()
        sent = _sent(person)
        asked = _states(person, sent)
        return AskedBacks(
            reversals=[
                AskedBack(reference=line.reference, state=asked[line.reference])
                for line in sent
                if line.reference in asked
            ]
        )

    @door.post("")
    @needs(Permission.TRANSFER)
    @refuses(UnknownTransfer, AlreadyRequested, NoReason, *PINS)
    @door.input(AskBack)
    @door.output(AskedBack, 201)
    def ask(json_data: AskBack) -> AskedBack:
        """Ask for a transfer or a payment back. Both sides hear by SMS what staff decide."""
        person = edge.person()
        confirm(api, person, json_data)
        reversals.request(
            edge.session(),
            subscriber=person.id,
            reference=json_data.reference,
            actor=edge.actor(person),
            reason=json_data.reason,
            now=edge.now(),
        )
        return AskedBack(reference=json_data.reference, state=ReversalState.REQUESTED)

    return door


_DECLINED: Final = ReversalState.DECLINED


def _sent(person: Person) -> Sequence[statements.Line]:
    """The newest of what somebody sent to others."""
    lines = statements.latest(edge.reading(), account=person.account_id, lines_max=_LOOKED_AT)
    return [
        line
        for line in lines
        if line.amount.minor < 0 and line.reason in _COMES_BACK and line.reference
    ]


def _states(person: Person, sent: Sequence[statements.Line]) -> dict[str, ReversalState]:
    references = [line.reference for line in sent]
    found = reversals.states(edge.reading(), subscriber=person.id, references=references)
    return dict(found)
