"""
Clients that move money as fast as they can, whatever happens to the server, and note every answer.

A movement keeps its key until it has an answer: the same call again after an error is the one way
to learn what became of it. What was answered is written to files beside the server's, and is
compared with the book afterwards.
"""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Final, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from chaos.cluster import Book, now
from core import db, holds, ledger
from core.db import Databases
from core.holds import Hold, HoldResolved
from core.ledger import Draft, InsufficientFunds, Posting, Reason
from core.limits import CeilingReached
from core.money import kes

Legs = Mapping[int, int]
T = TypeVar("T")

CLIENTS: Final = 4
BATCH: Final = 50
_AGAIN_SECONDS: Final = 0.01
_ANSWER_SECONDS_MAX: Final = 30.0
# Of so many calls, one has its line cut when COMMIT was sent and not yet answered.
_CUT: Final = 12
# Large beside what people hold, so that many a movement finds too little.
_SHILLINGS_MAX: Final = 2_000_000
_DOLLARS_MAX: Final = 30_000


@dataclass
class Told:
    """What the clients of a storm were told, in sum."""

    movements: int = 0
    """Answered: posted, found posted, or refused."""
    posted: int = 0
    """Those of them that moved money."""
    unknown: int = 0
    """Movements whose connection broke before there was an answer."""
    committed: int = 0
    """Those of them that were in the book all the same."""
    lies: int = 0
    """Calls with a key that stands for another movement."""
    believed: int = 0
    """Those of them that were not refused."""

    def add(self, other: Told) -> None:
        """Take another client's sums in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Moves:
    """An endless supply of movements: transfers with and without a fee, payouts, exchanges."""

    book: Book
    chance: random.Random

    def legs(self) -> Legs:
        """One movement."""
        kind = self.chance.random()
        if kind < 0.6:  # noqa: PLR2004 - a share
            return self._transfer()
        return self._payout() if kind < 0.75 else self._exchange()  # noqa: PLR2004 - a share

    def _transfer(self) -> Legs:
        giver, taker = self.chance.sample(self.book.shillings, 2)
        amount, fee = self.chance.randint(1, _SHILLINGS_MAX), self.chance.choice([0, 500])
        legs = {giver: -(amount + fee), taker: amount}
        return legs | {self.book.fees: fee} if fee else legs

    def _payout(self) -> Legs:
        giver, *takers = self.chance.sample(self.book.shillings, 5)
        share = self.chance.randint(1, _SHILLINGS_MAX // 4)
        return {giver: -share * len(takers)} | dict.fromkeys(takers, share)

    def _exchange(self) -> Legs:
        place = self.chance.randrange(len(self.book.people))
        shillings = self.chance.randint(1, _SHILLINGS_MAX)
        dollars, spread = self.chance.randint(101, _DOLLARS_MAX), self.chance.randint(1, 100)
        sold, bought = self.book.liquidity
        if self.chance.random() < 0.5:  # noqa: PLR2004 - a coin
            legs = {self.book.shillings[place]: -shillings, sold: shillings}
            return legs | {
                bought: -(dollars + spread),
                self.book.dollars[place]: dollars,
                self.book.spread: spread,
            }
        legs = {self.book.dollars[place]: -dollars, bought: dollars - spread}
        return legs | {
            self.book.spread: spread,
            sold: -shillings,
            self.book.shillings[place]: shillings,
        }


@dataclass
class Storm:
    """
    Clients on one database, from `begin` to `end`.

    Args:
        book: Where.
        folder: Where they note what they were told.
        new_keys: Whether a call that is repeated has a new key: what nobody should do.
        keeps: Whether one more client sets money aside and resolves it again.
    """

    book: Book
    folder: Path
    new_keys: bool = False
    keeps: bool = False
    told: Told = field(default_factory=Told)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _given_up: threading.Event = field(default_factory=threading.Event)
    _begun: int = 0

    @property
    def files(self) -> list[Path]:
        """What was told so far."""
        return sorted(self.folder.glob("told-*"))

    @contextmanager
    def blowing(self) -> Iterator[None]:
        """Clients for as long as the block lasts; then each gets its last answer."""
        self.folder.mkdir(exist_ok=True)
        self._stopped.clear()
        self._begun += 1
        with ThreadPoolExecutor(CLIENTS + 1, thread_name_prefix="storm") as pool:
            clients = [pool.submit(self._client, number) for number in range(CLIENTS)]
            if self.keeps:
                clients.append(pool.submit(self._keeper))
            try:
                yield
            except BaseException:
                self._given_up.set()
                raise
            finally:
                self._stopped.set()
            for client in clients:
                self.told.add(client.result(timeout=2 * _ANSWER_SECONDS_MAX))

    def _client(self, number: int) -> Told:
        name = f"{self._begun}-{number}"
        moves = Moves(self.book, random.Random(name))
        told = Told()
        posted: deque[Draft] = deque(maxlen=200)
        with (
            (self.folder / f"told-{name}").open("w") as file,
            self.book.opened(role=db.WORKER, connections_max=1) as databases,
        ):
            count, calls = 0, itertools.count()
            while not self._stopped.is_set():
                movements = {
                    f"{name}-{count + place}": moves.legs()
                    for place in range(moves.chance.choice([1, BATCH, BATCH, BATCH]))
                }
                count += len(movements)
                lie = _lie(moves.chance.choice(posted)) if posted else None
                # So is its lie, then: a journal alone goes another way.
                is_alone = len(movements) == 1
                if lie and is_alone:
                    self._tell(databases, lie, told)
                self._move(
                    databases,
                    movements,
                    lie=None if is_alone else lie,
                    is_cut=next(calls) % _CUT == 1,
                    told=told,
                    posted=posted,
                    file=file,
                )
        return told

    def _tell(self, databases: Databases, lie: Draft, told: Told) -> None:
        """Post what is under the key of another movement."""
        [posting], _ = self._answered(
            databases,
            lambda session: ledger.post(session, drafts=[lie], now=now()),
            is_cut=False,
        )
        told.lies += 1
        told.believed += posting.is_posted

    def _move(
        self,
        databases: Databases,
        movements: Mapping[str, Legs],
        *,
        lie: Draft | None,
        is_cut: bool,
        told: Told,
        posted: deque[Draft],
        file: IO[str],
    ) -> None:
        """Post a batch until there is an answer, and note it."""
        tries = itertools.count()

        def drafts() -> list[Draft]:
            again = f":{next(tries)}" if self.new_keys else ""
            return [
                Draft(f"storm:{movement}{again}", Reason.TRANSFER, legs)
                for movement, legs in movements.items()
            ]

        def post(session: Session) -> tuple[list[Draft], list[Posting]]:
            asked = drafts()
            lies = [lie] if lie else []
            return asked, ledger.post(session, drafts=[*asked, *lies], now=now())

        (asked, postings), is_unknown = self._answered(databases, post, is_cut=is_cut)
        if lie:
            told.lies += 1
            told.believed += postings.pop().is_posted
        told.movements += len(asked)
        if is_unknown:
            told.unknown += len(asked)
            told.committed += sum(each.outcome == "exists" for each in postings)
        for movement, draft, posting in zip(movements, asked, postings, strict=True):
            if posting.is_posted:
                posted.append(draft)
                told.posted += 1
            _note(file, movement, draft, is_posted=posting.is_posted, is_unknown=is_unknown)

    def _keeper(self) -> Told:
        """Set money aside and resolve it, one step at a time, until the storm is over."""
        name = f"{self._begun}-keeper"
        chance, told = random.Random(name), Told()
        with (
            (self.folder / f"told-{name}").open("w") as file,
            self.book.opened(role=db.WORKER, connections_max=1) as databases,
        ):
            for count in itertools.count():
                if self._stopped.is_set():
                    return told
                self._keep(databases, f"{name}:{count}", chance=chance, told=told, file=file)
        raise AssertionError

    def _keep(
        self, databases: Databases, key: str, *, chance: random.Random, told: Told, file: IO[str]
    ) -> None:
        """Place one hold, then capture a part of it, or release it."""
        owner, taker = chance.sample(self.book.people, 2)
        to = taker.account_id
        amount = chance.randint(1, _SHILLINGS_MAX)
        part = chance.choice([None, chance.randint(1, amount)])

        def place(session: Session) -> tuple[int, int, int]:
            ends = now() + timedelta(hours=1)
            which = holds.place(
                session, owner=owner.id, amount=kes(amount), key=key, expires_at=ends, now=now()
            )
            made = session.get_one(Hold, which)
            return which, made.account_id, made.held_account_id

        def resolve(session: Session) -> bool:
            nonlocal part
            try:
                if part is not None:
                    try:
                        holds.capture(session, hold=hold, to=to, amount=kes(part), now=now())
                    except CeilingReached:  # they hold as much as they may by now
                        part = None
                if part is None:
                    holds.release(session, hold=hold, now=now())
            except HoldResolved:
                return True  # by nobody else: by this very call, when its line broke
            return False

        try:
            placed, was_unknown = self._answered(
                databases, place, is_cut=not chance.randrange(_CUT)
            )
        except InsufficientFunds:
            return
        hold, account, held = placed
        _note(
            file,
            f"hold:{hold}:place",
            Draft(f"hold:{hold}:place", Reason.HOLD, {account: -amount, held: amount}),
            is_posted=True,
            is_unknown=was_unknown,
        )
        repeated, is_unknown = self._answered(databases, resolve, is_cut=not chance.randrange(_CUT))
        legs = {held: -amount, account: amount - (part or 0)}
        if part:
            legs[to] = part
        legs = {each: moved for each, moved in legs.items() if moved}
        _note(
            file,
            f"hold:{hold}:resolve",
            Draft(f"hold:{hold}:resolve", Reason.CAPTURE, legs),
            is_posted=True,
            is_unknown=is_unknown,
        )
        told.movements += 2
        told.posted += 2
        told.unknown += was_unknown + is_unknown
        told.committed += repeated

    def _answered(
        self, databases: Databases, call: Callable[[Session], T], *, is_cut: bool
    ) -> tuple[T, bool]:
        """
        Make a call until it is answered: what it answered, and whether a line broke before.

        Args:
            databases: Where.
            call: One transaction.
            is_cut: Whether the first call's COMMIT is sent, and its answer never heard.
        """
        ends, is_unknown = time.monotonic() + _ANSWER_SECONDS_MAX, False
        while True:
            try:
                with databases.begin() as session:
                    answer = call(session)
                    if is_cut:
                        _deafen(session)
            except DBAPIError as error:
                is_cut = False
                is_unknown |= error.connection_invalidated
                if time.monotonic() > ends or self._given_up.is_set():
                    raise
                time.sleep(_AGAIN_SECONDS)
            else:
                return answer, is_unknown


def _note(file: IO[str], movement: str, draft: Draft, *, is_posted: bool, is_unknown: bool) -> None:
    """Write down what became of a movement, a line for each of its legs."""
    for account, amount in draft.legs.items():
        file.write(f"{movement}\t{draft.key}\t{is_posted}\t{is_unknown}\t{account}\t{amount}\n")


def _deafen(session: Session) -> None:
    """Hear nothing more of what the server says: COMMIT will be sent, and not answered."""
    raw = session.connection().connection.driver_connection
    assert raw is not None
    line = socket.socket(fileno=raw.fileno())
    line.shutdown(socket.SHUT_RD)
    line.detach()


def _lie(draft: Draft) -> Draft:
    """The same key for a little more money."""
    giver, taker, *_ = draft.legs
    lied = dict(draft.legs) | {giver: draft.legs[giver] - 1, taker: draft.legs[taker] + 1}
    return Draft(draft.key, draft.reason, lied)
