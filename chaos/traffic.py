"""
Traffic in a house: orders placed as a door places them, sessions through the door itself, and what
arrived on the handsets.
"""

from __future__ import annotations

import http.client
import itertools
import json
import secrets
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bench import stack
from chaos.cluster import now
from chaos.house import House
from core import seal_notes, transfers
from core.money import kes
from core.outbox import Event
from core.subscribers import Language, Person
from menus import notices
from workers.bell import Bell
from workers.messages import SEALED
from workers.queues import Name, enqueue, queue
from workers.relay import DELIVER

_AGAIN_SECONDS: Final = 0.02
_DOOR: Final = "/ussd/africastalking/sandbox"
_HOP_SECONDS_MAX: Final = 5.0
_SOME_SECONDS: Final = 0.4
_TWICE_SECONDS: Final = 0.2
_TWICE_SECONDS_MAX: Final = 15.0
_TWICE_WAITING_MAX: Final = 5
# Half a ring of the relay's, and a whole one.
_TWICE_ROWS: Final = 25

_AMOUNTS: Final = (kes(50_00), kes(200_00))


@dataclass
class Orders:
    """People who order transfers, so many a second in all, until `end`; nobody gives up."""

    house: House
    rate: float
    placed: int = 0
    repeated: int = 0
    """Orders whose first call broke; the same call was made again."""
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Let them order."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._order, name="orders", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let the last order be placed."""
        self._stopped.set()
        assert self._thread is not None
        self._thread.join()

    def some(self) -> None:
        """Let them order for a moment."""
        self.begin()
        time.sleep(_SOME_SECONDS)
        self.end()

    def _order(self) -> None:
        redis = Redis.from_url(self.house.valkey.url)
        bell = Bell(redis, queue(Name.LEDGER, redis), waiting_max=1)
        due = time.monotonic()
        while not self._stopped.is_set():
            due += 1 / self.rate
            self._place(bell)
            self._stopped.wait(max(due - time.monotonic(), 0))

    def _place(self, bell: Bell) -> None:
        """Place one order as the door does; again, under its key, until it is placed."""
        people = self.house.people
        sender = people[self.placed % len(people)]
        recipient = people[(7 * self.placed + 3) % len(people)]
        if recipient.id == sender.id:
            recipient = people[(self.placed + 1) % len(people)]
        amount = _AMOUNTS[self.placed % len(_AMOUNTS)]
        asked_at = now()
        for tried in itertools.count():
            try:
                with self.house.web.begin() as session:
                    transfers.order(
                        session,
                        sender=sender,
                        recipient=recipient.id,
                        quoted=transfers.quote(session, sender=sender, amount=amount, now=asked_at),
                        key=f"chaos:{self.placed}",
                        now=asked_at,
                    )
                break
            except DBAPIError:
                self.repeated += not tried
                time.sleep(_AGAIN_SECONDS)
        self.placed += 1
        with suppress(RedisError):  # as the door: the relay will ring
            bell.ring()


@dataclass
class Twice:
    """Rings again for what was just rung for, until `end`: RQ may run any job twice."""

    house: House
    after: int = 0
    """The row of the outbox past which it rings: what is waited for must not be rung for."""
    rings: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin to ring."""
        self._thread = threading.Thread(target=self._ring, name="twice", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave it, when it was done once at least."""
        ends = time.monotonic() + _TWICE_SECONDS_MAX
        while not self.rings and time.monotonic() < ends:
            time.sleep(_AGAIN_SECONDS)
        self._stopped.set()
        assert self._thread is not None
        self._thread.join()

    def _ring(self) -> None:
        line = queue(Name.SMS, Redis.from_url(self.house.valkey.url))
        while not self._stopped.wait(_TWICE_SECONDS):
            with suppress(DBAPIError, RedisError), self.house.databases() as session:
                newest = text(
                    "SELECT id FROM outbox WHERE id > :after ORDER BY id DESC LIMIT :most"
                )
                which = {"after": self.after, "most": _TWICE_ROWS}
                ids = list(session.scalars(newest, which))
                if ids and (not self.rings or line.count < _TWICE_WAITING_MAX):
                    enqueue(line, DELIVER, ids=sorted(ids[: len(ids) // 2]))
                    enqueue(line, DELIVER, ids=ids)
                    self.rings += 1


def send(house: House, sender: Person, to: Person) -> bool:
    """Dial, and send money through the door; whether the last screen says that it was sent."""
    session, typed = f"ATUid_{secrets.token_hex(16)}", ""
    said = _hop(house, session, sender, typed)
    for answer in ("1", f"0{to.msisdn[4:]}", "10", stack.PIN):
        if not said.startswith("CON "):
            return False
        typed = f"{typed}*{answer}" if typed else answer
        said = _hop(house, session, sender, typed)
    return said.startswith("END Sent KES")


def _hop(house: House, session: str, caller: Person, typed: str) -> str:
    form = {
        "phoneNumber": caller.msisdn,
        "serviceCode": "*384#",
        "text": typed,
        "sessionId": session,
        "networkCode": "63902",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    line = http.client.HTTPConnection("127.0.0.1", house.ports.web, timeout=_HOP_SECONDS_MAX)
    try:
        line.request("POST", _DOOR, urlencode(form), headers)
        return line.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        line.close()


@dataclass(frozen=True)
class Effect:
    """One thing that somebody was to be told: when it was ordered, and when it arrived."""

    outbox: int
    ordered_at: datetime
    arrived_at: datetime | None
    copies: int
    in_doubt: bool
    """Whether its message is one that may have gone, so that it is never sent again."""

    @property
    def seconds(self) -> float:
        """From the order to the handset."""
        assert self.arrived_at is not None
        return (self.arrived_at - self.ordered_at).total_seconds()


_STAGED: Final = text("""
    SELECT b.id, b.event, b.msisdn, b.language, b.facts, o.placed_at,
           coalesce(m.state IN ('sending', 'unknown'), false) AS in_doubt
    FROM outbox b
    JOIN orders o ON o.reference = b.facts ->> 'reference'
    LEFT JOIN messages m ON m.outbox_id = b.id
    ORDER BY b.id
""")


_UNDONE: Final = text("""
    SELECT count(*) FROM orders o
    WHERE o.placed_at >= :since AND (o.state = 'placed' OR EXISTS (
        SELECT FROM outbox b LEFT JOIN messages m ON m.outbox_id = b.id
        WHERE b.facts ->> 'reference' = o.reference AND b.done_at IS NULL
            AND (m.state IS DISTINCT FROM 'sending' OR m.changed_at > :just_now)))
""")
_LEAVES: Final = text(
    "SELECT reference, leaf_of(id) AS leaf FROM journals WHERE reference = ANY (:references)"
)
# Longer than the fake provider takes: who is still sending then is dead.
_SENDING: Final = timedelta(seconds=3)
_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


def effects(house: House) -> list[Effect]:
    """What was staged for orders, beside what the country's handsets have received."""
    # In this order: what arrives between the two looks was in doubt at the first.
    with house.databases.begin() as session:  # a leaf that is not there yet is made, and stays
        rows = session.execute(_STAGED).all()
        sealed = {row.facts["reference"] for row in rows if row.event in SEALED}
        leaves = session.execute(_LEAVES, {"references": list(sealed)})
        seals = {row.reference: seal_notes.seal(bytes(row.leaf)) for row in leaves}
    copies: Counter[tuple[str, str]] = Counter()
    arrived: dict[tuple[str, str], datetime] = {}
    for line in (house.home / "africastalking.jsonl").read_text().splitlines():
        message = json.loads(line)
        what = message["to"], message["message"]
        copies[what] += 1
        arrived.setdefault(what, datetime.fromisoformat(message["at"]))
    found = []
    for row in rows:
        facts = row.facts | {"seal": seals.get(row.facts["reference"])}
        said = notices.words(Event(row.event), facts, Language(row.language))
        what = row.msisdn, said
        found.append(Effect(row.id, row.placed_at, arrived.get(what), copies[what], row.in_doubt))
    return found


def stall(house: House) -> None:
    """Let the provider take the next two messages at once, and answer a second later."""
    body = json.dumps({"kind": "accept-stall", "seconds": 1, "next": 2})
    line = http.client.HTTPConnection("127.0.0.1", house.ports.sandbox, timeout=_HOP_SECONDS_MAX)
    line.request("POST", "/africastalking/faults", body, {"Content-Type": "application/json"})
    answer = line.getresponse()
    line.close()
    assert answer.status == http.HTTPStatus.CREATED, answer.status


def newest(house: House) -> int:
    """The newest row of the outbox."""
    with house.databases() as session:
        return int(session.scalar(text("SELECT max(id) FROM outbox")) or 0)


def undone(house: House, *, since: datetime | None = None) -> int:
    """Orders without an outcome, and events neither done nor in doubt; of orders placed since."""
    given = {"since": since or _EVER, "just_now": now() - _SENDING}
    with house.databases() as session:
        return int(session.scalar(_UNDONE, given) or 0)
