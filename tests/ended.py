"""How sessions ended, told as the aggregator tells it."""

from __future__ import annotations

from core import inbox
from core.inbox import Kind


def tell(house, form, *, key=None):
    """Say that a session ended, as the door keeps it; nothing that is None is said."""
    with house.databases["web"].begin() as session:
        inbox.receive(
            session,
            provider="africastalking",
            kind=Kind.USSD_ENDED,
            key=key or form["sessionId"],
            form={name: value for name, value in form.items() if value is not None},
            now=house.clock(),
        )
