"""
What the house's controls break: its memory of what was sent, and its doubt about rings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import text

from chaos import traffic
from chaos.house import House
from chaos.traffic import Orders, Twice

# A control is given so long to show itself; on a quiet machine it takes a moment.
_SHOWN_SECONDS_MAX: Final = 15.0
_SENT_SECONDS: Final = 1.0

# Neither a message's claim nor that its event is done is kept: it may always be sent once more.
_FORGETFUL: Final = (
    """
    CREATE FUNCTION forget_claim() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.state := 'queued'; RETURN NEW; END $$
    """,
    """
    CREATE FUNCTION forget_done() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.done_at := NULL; RETURN NEW; END $$
    """,
    """
    CREATE TRIGGER forgetful BEFORE UPDATE ON messages
    FOR EACH ROW EXECUTE FUNCTION forget_claim()
    """,
    """
    CREATE TRIGGER forgetful BEFORE UPDATE ON outbox
    FOR EACH ROW EXECUTE FUNCTION forget_done()
    """,
)
_REMEMBERING: Final = (
    "DROP TRIGGER forgetful ON outbox",
    "UPDATE outbox SET done_at = now() WHERE done_at IS NULL",
    "DROP TRIGGER forgetful ON messages",
)
# An event is called done the moment it is staged, as if no ring could be lost.
_TRUSTING: Final = (
    """
    CREATE FUNCTION trust() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.done_at := NEW.staged_at; RETURN NEW; END $$
    """,
    "CREATE TRIGGER trusting BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION trust()",
)
_PLACED: Final = text("SELECT count(*) FROM orders WHERE state = 'placed'")


def forgetting(house: House, orders: Orders, *, after: int) -> int:
    """Effects doubled, past a row of the outbox, when jobs run twice and no claim is remembered."""
    _run(house, *_FORGETFUL)
    twice = Twice(house, after=after)
    twice.begin()
    orders.some()

    def doubled() -> int:
        return sum(
            max(each.copies - 1, 0) for each in traffic.effects(house) if each.outbox > after
        )

    _within(lambda: doubled() > 0)
    twice.end()
    _run(house, *_REMEMBERING)
    return doubled()


def trusting(house: House, orders: Orders, *, after: int) -> int:
    """Effects missing, past a row of the outbox, when an event is called done as it is staged."""
    _run(house, *_TRUSTING)
    orders.some()

    def executed() -> bool:
        with house.databases() as session:
            return bool(session.scalar(_PLACED) == 0)

    _within(executed)
    time.sleep(_SENT_SECONDS)  # what is sent at all is sent by then
    return sum(not each.copies for each in traffic.effects(house) if each.outbox > after)


def _within(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + _SHOWN_SECONDS_MAX
    while not condition() and time.monotonic() < ends:
        time.sleep(0.1)


def _run(house: House, *statements: str) -> None:
    """Run statements, each for itself: the workers are in the way of none for long."""
    for statement in statements:
        with house.databases.begin() as session:
            session.execute(text(statement))
