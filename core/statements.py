"""
What went into and out of an account: the newest entries, page by page, or a period in whole.

An account's entries are numbered in the order in which the book took them, and each carries the
balance after it. A period is therefore a run of numbers, and opening and closing balance are read
from two entries, however many there are before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final, Self

from sqlalchemy import Row, TextClause, select, text
from sqlalchemy.orm import Session

from core import chart
from core.chart import Place
from core.db import Databases
from core.errors import Invalid, Refused
from core.ledger import Account, Mode, Reason, UnknownAccount
from core.money import Currency, Money
from core.subscribers import Person, Subscriber

# East Africa Time has no summer time, so no time zone database is needed to know it.
NAIROBI: Final = timezone(timedelta(hours=3), "EAT")
PLACES: Final = {"main": chart.MAIN, "held": chart.HELD, "owed": chart.OWED}
_PAGE: Final = 1_000


@dataclass(eq=False)
class InvalidPeriod(Invalid):
    """A period ends after it begins."""


@dataclass(eq=False)
class StatementTooLong(Refused):
    """The period has more lines than a PDF can hold: a shorter one will do, or CSV."""

    lines_max: int


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as its owner sees it; `name` and `msisdn` are the other person's, if any."""

    number: int
    at: datetime
    reason: str
    amount: Money
    fee: Money
    balance: Money
    reference: str
    name: str
    msisdn: str

    @property
    def moved(self) -> Money:
        """What the entry did to the balance."""
        return self.amount - self.fee


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant on, up to but not with another."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse a period that is none."""
        if self.begin >= self.end:
            raise InvalidPeriod

    @classmethod
    def days(cls, first: date, end: date) -> Self:
        """Whole days in Nairobi, from `first` up to but not with `end`."""
        begin, until = (datetime.combine(day, time(), NAIROBI) for day in (first, end))
        return cls(begin, until)

    def __contains__(self, at: datetime) -> bool:
        return self.begin <= at < self.end

    def widened(self, by: timedelta) -> Period:
        """So much more on both sides."""
        return Period(self.begin - by, self.end + by)


@dataclass(frozen=True, slots=True)
class Statement:
    """
    A period of one account: its lines are those numbered after `after` and up to `last`.

    Opening balance and all that moved make the closing balance; `paid_in` and `paid_out` (which is
    negative) are the sums of either kind, fees left out, and `fees` is what those came to.
    """

    holder: str
    msisdn: str
    wallet_number: str
    account: int
    place: str
    period: Period
    after: int
    last: int
    opening: Money
    paid_in: Money
    paid_out: Money
    fees: Money
    closing: Money

    @property
    def currency(self) -> Currency:
        return self.opening.currency

    @property
    def lines_count(self) -> int:
        """How many lines there are, known before any is read."""
        return self.last - self.after


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which lines of an account.

    Args:
        after: The number of the line before the oldest.
        last: That of the newest; they are read from there backwards.
        reasons: Why a journal was written; all where there are none.
        is_in: Whether only money that came in, or only money that went out, is wanted.
    """

    after: int
    last: int
    reasons: Sequence[Reason] = ()
    is_in: bool | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, the newest first; `last` is the number to go on from, if there may be more."""

    lines: Sequence[Line]
    last: int | None


# The fee is legs of the same journal: shown apart, it is taken out of the entry of who bore it: of
# a hold not its owner. A withdrawal's is earned later: its own row knows it, and the provider's.
_FEE: Final = """
    CASE WHEN (j.reason, e.amount > 0) IN (('transfer', false), ('payment', true),
        ('capture', true), ('deposit', true), ('resolution', true))
    THEN coalesce((
        SELECT sum(f.amount) FROM entries f JOIN accounts x ON x.id = f.account_id
        WHERE f.journal_id = j.id AND x.path ~ '^(fees|tax)[:]' AND e.account_id NOT IN (
            SELECT h.account_id FROM holds h
            WHERE h.id = CAST(substring(j.key, '^hold:([0-9]{1,18}):') AS bigint))), 0)
    WHEN j.reason = 'withdrawal' AND e.amount < 0
    THEN coalesce((
        SELECT w.fee + w.tariff FROM orders o JOIN withdrawals w ON w.order_id = o.id
        WHERE o.key = j.key), 0)
    ELSE 0 END
"""
SELECTED: Final = f"""
    SELECT e.version AS number, j.posted_at, j.reason, e.amount, a.currency,
           {_FEE} AS fee,
           e.balance_after, coalesce(j.reference, '') AS reference,
           coalesce(other.name, '') AS name, coalesce(other.msisdn, '') AS msisdn
    FROM entries e
    JOIN accounts a ON a.id = e.account_id
    JOIN journals j ON j.id = e.journal_id
    LEFT JOIN LATERAL (
        SELECT s.name, s.msisdn
        FROM entries o
        JOIN accounts x ON x.id = o.account_id
        JOIN subscribers s ON s.id = x.holder_id
        WHERE o.journal_id = j.id AND x.holder_id <> a.holder_id
        ORDER BY o.account_id LIMIT 1
    ) other ON true
"""  # noqa: S608 - our own words
_LINES = f"{SELECTED} WHERE e.account_id = :account"
# What is looked for among very many is looked for a stretch at a time.
_STRETCH: Final = 2_000
_SOME = text(f"""{_LINES} AND e.version <= :last AND e.version > :down_to
    AND (:all OR j.reason = ANY (:reasons))
    AND (e.amount > 0) = coalesce(CAST(:is_in AS boolean), e.amount > 0)
    ORDER BY e.version DESC LIMIT :most
""")
_OF_ONE = text(f"""{SELECTED}
    WHERE j.reference = :reference AND a.holder_id = :subscriber AND a.path LIKE 'user:%:main:%'
    ORDER BY e.amount
""")
_NEWEST = text(f"{_LINES} AND e.version < :before ORDER BY e.version DESC LIMIT :most")
_FORWARD = text(
    f"{_LINES} AND e.version > :after AND e.version <= :last ORDER BY e.version LIMIT :most"
)
_NONE_BEFORE: Final = 1 << 62


def latest(
    session: Session, *, account: int, lines_max: int, before: int | None = None
) -> Sequence[Line]:
    """
    The newest lines of an account. `amount` leaves the fee out; money spent is negative.

    Args:
        session: Any.
        account: Its id.
        lines_max: How many.
        before: The `number` of the line to go on from; later entries do not shift what follows.
    """
    given = {"account": account, "before": before or _NONE_BEFORE, "most": lines_max}
    return [_line(row) for row in session.execute(_NEWEST, given)]


def page(session: Session, *, account: int, wanted: Wanted, lines_max: int) -> Page:
    """
    Some of the wanted lines, the newest first. There may be fewer than asked for, and still more.

    Args:
        session: Any.
        account: Its id.
        wanted: Which; `last` is where to go on from.
        lines_max: How many at most.
    """
    given = {
        "account": account,
        "all": not wanted.reasons,
        "reasons": [reason.value for reason in wanted.reasons],
        "is_in": wanted.is_in,
    }
    return stretch(session, _SOME, given, wanted, lines_max)


def stretch(
    session: Session, query: TextClause, given: Mapping[str, object], wanted: Wanted, most: int
) -> Page:
    """
    Of what a query finds, what lies in one stretch of the wanted lines, the newest first.

    The query begins with `SELECTED` and takes `last`, `down_to` and `most`, and what is given.
    """
    down_to = max(wanted.after, wanted.last - _STRETCH)
    bounds = {"last": wanted.last, "down_to": down_to, "most": most}
    found = [_line(row) for row in session.execute(query, {**given, **bounds})]
    last = found[-1].number - 1 if len(found) == most else down_to
    return Page(found, last if last > wanted.after else None)


def of_reference(session: Session, *, subscriber: int, reference: str) -> Sequence[Line]:
    """What a journal did to somebody's main accounts, by its reference; what went out is first."""
    given = {"reference": reference, "subscriber": subscriber}
    return [_line(row) for row in session.execute(_OF_ONE, given)]


def open_statement(
    session: Session,
    *,
    person: Person,
    period: Period,
    currency: Currency = Currency.KES,
    place: str = "main",
) -> Statement:
    """
    Begin a statement. Entries made later do not change it.

    Args:
        session: Any.
        person: Whose account.
        period: Which entries: those that the book took from its begin on, and before its end.
        currency: The account's.
        place: `main`, `held` or `owed`.

    Raises:
        UnknownAccount: They have no such account.
    """
    chosen: Place = PLACES[place]
    path = chosen.named(currency, owner=person.id)
    account = session.scalar(
        select(Account.id).where(Account.path == path, Account.mode == Mode.AUTHORISE.value)
    )
    if account is None:
        raise UnknownAccount
    newest = _newest(session, account)
    after = _before(session, account, period.begin, newest)
    last = _before(session, account, period.end, newest)
    sums = session.execute(_SUMS, {"account": account, "after": after, "last": last}).one()
    return Statement(
        holder=person.name,
        msisdn=person.msisdn,
        wallet_number=session.scalars(
            select(Subscriber.wallet_number).where(Subscriber.id == person.id)
        ).one(),
        account=account,
        place=place,
        period=period,
        after=after,
        last=last,
        opening=_balance_after(session, account, after, currency),
        paid_in=Money(int(sums.paid_in), currency),
        paid_out=Money(int(sums.paid_out), currency),
        fees=Money(int(sums.fees), currency),
        closing=_balance_after(session, account, last, currency),
    )


def lines(databases: Databases, statement: Statement) -> Iterator[Line]:
    """
    Every line of a statement, oldest first, a thousand in memory at a time.

    Each page is a transaction of its own: a reader who is slow holds nothing open.
    """
    given: dict[str, Any] = {"account": statement.account, "last": statement.last, "most": _PAGE}
    after = statement.after
    while after < statement.last:
        with databases() as session:
            page = session.execute(_FORWARD, given | {"after": after}).all()
        assert page, f"entries of account {statement.account} are missing after {after}"
        yield from map(_line, page)
        after = page[-1].number


# How many entries the book had taken before an instant. Entries of one account are posted in the
# order of their numbers, so that this is found by halving: forty looks among a million million.
# Two workers' clocks may differ by a moment. The halves are the same whatever there is, so that of
# two instants the later never comes out as the earlier number, and adjoining periods still adjoin.
_BEFORE = text("""
    WITH RECURSIVE halved (low, high) AS (
        SELECT CAST(0 AS bigint), CAST(1 AS bigint) << 40
        UNION ALL
        SELECT CASE WHEN h.is_before THEN h.middle ELSE h.low END,
               CASE WHEN h.is_before THEN h.high ELSE h.middle END
        FROM (
            SELECT x.low, x.high, (x.low + x.high) / 2 AS middle,
                   coalesce((
                       SELECT j.posted_at < :at
                       FROM entries e JOIN journals j ON j.id = e.journal_id
                       WHERE e.account_id = :account AND e.version = (x.low + x.high) / 2
                   ), false) AS is_before
            FROM halved x WHERE x.high - x.low > 1
        ) h
    )
    SELECT low FROM halved WHERE high - low = 1
""")

_SUMS = text(f"""
    SELECT coalesce(sum(m.amount + m.fee) FILTER (WHERE m.amount + m.fee > 0), 0) AS paid_in,
           coalesce(sum(m.amount + m.fee) FILTER (WHERE m.amount + m.fee < 0), 0) AS paid_out,
           coalesce(sum(m.fee), 0) AS fees
    FROM (
        SELECT e.amount, {_FEE} AS fee
        FROM entries e JOIN journals j ON j.id = e.journal_id
        WHERE e.account_id = :account AND e.version > :after AND e.version <= :last
    ) m
""")  # noqa: S608 - our own words


def _newest(session: Session, account: int) -> int:
    """The number of an account's newest entry."""
    return int(
        session.scalar(
            text("SELECT max(version) FROM entries WHERE account_id = :account"),
            {"account": account},
        )
        or 0
    )


def _before(session: Session, account: int, at: datetime, newest: int) -> int:
    """The number of the last entry that was taken before an instant."""
    found = session.execute(_BEFORE, {"account": account, "at": at}).scalar_one()
    return min(int(found), newest)


def _balance_after(session: Session, account: int, number: int, currency: Currency) -> Money:
    if number == 0:
        return Money(0, currency)
    balance = session.execute(
        text("SELECT balance_after FROM entries WHERE account_id = :account AND version = :number"),
        {"account": account, "number": number},
    ).scalar_one()
    return Money(int(balance), currency)


def _line(row: Row[Any]) -> Line:
    currency = Currency[row.currency]
    return Line(
        number=row.number,
        at=row.posted_at,
        reason=row.reason,
        amount=Money(row.amount + int(row.fee), currency),
        fee=Money(int(row.fee), currency),
        balance=Money(row.balance_after, currency),
        reference=row.reference,
        name=row.name,
        msisdn=row.msisdn,
    )
