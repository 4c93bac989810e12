"""
Where a session begins: for who dials again soon, with what became of the last one.

Whoever was cut off is offered to go on, but never with a PIN or a confirmation, nor with what only
the old session's text holds (docs/decisions/0023). Whoever had ordered something is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from core import lately
from core.errors import DomainError
from core.lately import Ordered
from core.movements import Movement
from core.orders import Kind, State
from menus import engine, mpesa_words
from menus.engine import Dialogue
from menus.faces import face
from menus.screen import AnyScreen, Hop, Span
from menus.screens import SCREENS, first
from menus.screens.resume import Offer
from menus.sessions import Left
from menus.text import Text, _

_DONE: Final[Mapping[str, Text]] = {
    Kind.TRANSFER: _("Sent {amount} to {name}. Ref {reference}"),
    Kind.PAYMENT: _("Paid {amount} to {name}. Ref {reference}"),
    Kind.EXCHANGE: _("Exchanged {amount} for {got}. Ref {reference}"),
    Kind.REDEMPTION: _("Voucher used: {amount}. Ref {reference}"),
    Kind.WITHDRAWAL: _("On its way to M-Pesa: {amount}. Ref {reference}"),
}
_DONE_SOMEHOW: Final = _("Your request was done. Ref {reference}")
_REFUSED: Final[Mapping[str, Text]] = {
    Kind.TRANSFER: _("Not sent: {reason}"),
    Kind.PAYMENT: _("Not paid: {reason}"),
    Kind.EXCHANGE: _("Not exchanged: {reason}"),
    Kind.REDEMPTION: _("Voucher not used: {reason}"),
    Kind.WITHDRAWAL: _("Not withdrawn: {reason}"),
}
_REFUSED_SOMEHOW: Final = _("Not done: {reason}")
_REFUSED_BRIEFLY: Final = _("Your last request was refused. Ref {reference}")
_WORKED_ON: Final = _("Your last request is being worked on. You get an SMS. Ref {reference}")
_IN_DOUBT: Final = _("We do not know yet if your last request was done. See your statement first.")


def beginning(hop: Hop, left: Left | None, *, text: str) -> Dialogue:
    """
    Where a session begins; what was dialled ahead leads, with what became of the last one on top.

    Where there is no room for both, it begins at home: whoever dials the same again had better know
    first that it was done.

    Args:
        hop: The first one of the session.
        left: What the caller's last session left behind.
        text: What was dialled after the service code.
    """
    home = Dialogue((first(hop.person),))
    told = None if left is None else _told(hop, left)
    if text:
        walked = engine.walk(home, hop, text.split("*"))
        if told is None or walked.top.submits:
            return walked
        noticed = replace(walked, notice=told)
        if walked.notice is None and engine.has_room(noticed, hop):
            return noticed
    if told is not None:
        return replace(home, notice=told)
    return home if left is None else _offered(hop, left) or home


def became(hop: Hop, asked: Ordered | Movement) -> Text:
    """What became of what was asked for, in a line that leaves room for the screen below."""
    if isinstance(asked, Movement):
        told, briefly = mpesa_words.told(asked), mpesa_words.told(asked, briefly=True)
    else:
        told = _became(asked)
        briefly = Text(_REFUSED_BRIEFLY.msgid, {"reference": asked.placed.reference})
    has_room = engine.has_room(Dialogue((first(hop.person),), notice=told), hop)
    return told if has_room else briefly


def _became(ordered: Ordered) -> Text:
    placed = ordered.placed
    if placed.refusal is not None:
        words = _REFUSED.get(ordered.kind, _REFUSED_SOMEHOW)
        return Text(words.msgid, {"reason": face(placed.refusal).words})
    facts = {
        "amount": ordered.amount,
        "got": ordered.got,
        "name": ordered.name,
        "reference": placed.reference,
    }
    if placed.state is State.PLACED:
        return Text(_WORKED_ON.msgid, facts)
    return Text(_DONE.get(ordered.kind, _DONE_SOMEHOW).msgid, facts)


def _told(hop: Hop, left: Left) -> Text | None:
    """What became of what the last session asked for, or may have asked for."""
    if hop.person is None:
        return None
    asked = lately.newest(hop.unit.reading, subscriber=hop.person.id, session_id=left.session_id)
    if asked is not None:
        return became(hop, asked)
    return _IN_DOUBT if left.is_held or left.state.get("is_in_doubt") else None


def _offered(hop: Hop, left: Left) -> Dialogue | None:
    """The dialogue that was cut off, as far as it can be gone on with, below the offer to."""
    try:
        dropped = engine.load(left.state["dialogue"], SCREENS)
    except (KeyError, TypeError, ValueError):  # it had ended, or a deploy has renamed a screen
        return None
    if type(dropped.stack[0]) is not type(first(hop.person)):  # where everybody begins
        return None
    lines = (*dropped.left_at, dropped.line)
    resumed = tuple(_resumable(hop, zip(dropped.stack, lines, strict=False)))
    if len(resumed) < 2:  # noqa: PLR2004 - a first screen is where everybody begins
        return None
    top, _line = resumed[-1]
    flow = engine.name(type(top)).partition(".")[0]
    language = None if hop.person is not None else top.speaks(hop)
    stack, left_at = zip(*resumed, strict=True)
    return Dialogue((*stack, Offer(flow, language)), left_at=left_at)


def _resumable(
    hop: Hop, walked: Iterable[tuple[AnyScreen, int]]
) -> Iterator[tuple[AnyScreen, int]]:
    """
    The screens before the first that must not be come back to, and the lines they were left at.

    What was fetched is fetched again, and never believed from before; what only helped to choose
    is left out.
    """
    for screen, line in walked:
        if screen.left_out:
            continue
        try:
            anew = screen.again(hop) if screen.fetched else screen
        except DomainError:  # which they are told where they begin it once more
            return
        if (
            anew is None
            or anew.guarded
            or anew.awaits is not None
            or isinstance(anew, Offer)
            or _holds_a_span(anew)
        ):
            return
        yield anew, line


def _holds_a_span(screen: Any) -> bool:  # noqa: ANN401 - any dataclass
    """Whether it points into its session's text, which no other session has."""
    return any(isinstance(getattr(screen, field.name), Span) for field in fields(screen))
