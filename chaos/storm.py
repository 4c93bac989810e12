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
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from chaos.cluster import Book, now
from core import db, ledger
from core.db import Databases
from core.ledger import Draft, Posting, Reason

Legs = Mapping[int, int]

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
    """

    book: Book
    folder: Path
    new_keys: bool = False
    told: Told = field(default_factory=Told)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _begun: int = 0
    _pool: ThreadPoolExecutor | None = None
    _clients: list[Future[Told]] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        """What was told so far."""
        return sorted(self.folder.glob("told-*"))

    def begin(self) -> None:
        """Let the clients loose."""
        self.folder.mkdir(exist_ok=True)
        self._stopped.clear()
        self._begun += 1
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="storm")
        self._clients = [self._pool.submit(self._client, number) for number in range(CLIENTS)]

    def end(self) -> None:
        """Let each client get its last answer, and take all of it in."""
        self._stopped.set()
        for client in self._clients:
            self.told.add(client.result(timeout=2 * _ANSWER_SECONDS_MAX))
        assert self._pool is not None
        self._pool.shutdown()

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
                self._move(
                    databases,
                    movements,
                    lie=_lie(moves.chance.choice(posted)) if posted else None,
                    is_cut=next(calls) % _CUT == 1,
                    told=told,
                    posted=posted,
                    file=file,
                )
        return told

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
        ends = time.monotonic() + _ANSWER_SECONDS_MAX
        tries, is_unknown = 0, False
        while True:
            again = f":{tries}" if self.new_keys else ""
            drafts = [
                Draft(f"storm:{movement}{again}", Reason.TRANSFER, legs)
                for movement, legs in movements.items()
            ]
            try:
                postings = _post(databases, [*drafts, lie] if lie else drafts, is_cut=is_cut)
                break
            except DBAPIError as error:
                is_cut = False
                is_unknown |= error.connection_invalidated
                tries += 1
                if time.monotonic() > ends:
                    raise
                time.sleep(_AGAIN_SECONDS)
        if lie:
            told.lies += 1
            told.believed += postings.pop().is_posted
        told.movements += len(drafts)
        if is_unknown:
            told.unknown += len(drafts)
            told.committed += sum(each.outcome == "exists" for each in postings)
        for movement, draft, posting in zip(movements, drafts, postings, strict=True):
            if posting.is_posted:
                posted.append(draft)
            for account, amount in draft.legs.items():
                file.write(
                    f"{movement}\t{draft.key}\t{posting.is_posted}\t{is_unknown}\t{account}"
                    f"\t{amount}\n"
                )


def _post(databases: Databases, drafts: Sequence[Draft], *, is_cut: bool) -> list[Posting]:
    with databases.begin() as session:
        postings = ledger.post(session, drafts=drafts, now=now())
        if is_cut:
            _deafen(session)
        return postings


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
