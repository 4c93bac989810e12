"""Statements: what they say adds up, whatever the period, and however the entries came."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from traffic import Traffic

from core import chart, ledger, statements, subscribers
from core.ledger import Draft, Reason, UnknownAccount
from core.money import Currency, Money
from core.statements import InvalidPeriod, Period

MIDNIGHT = datetime(2026, 11, 20, 21, tzinfo=UTC)  # the 21st begins in Nairobi
TICK = timedelta(microseconds=1)
EVER = Period(MIDNIGHT - timedelta(days=400), MIDNIGHT + timedelta(days=400))


class Book:
    """An account and the money that goes in and out of it at chosen times."""

    def __init__(self, house, person) -> None:
        self.house = house
        self.msisdn = person.phone.msisdn
        with house.databases["owner"].begin() as session:
            self.account = subscribers.recipient(session, msisdn=self.msisdn).account_id
            self.cash = chart.SANDBOX_CASH.open(session, currency=Currency.KES)
        self.made = 0

    def move(self, *movements):
        """Post amounts at instants, in the order they are told."""
        with self.house.databases["worker"].begin() as session:
            for amount, at in movements:
                self.made += 1
                draft = Draft(
                    f"m{self.made}", Reason.OPENING, {self.cash: -amount, self.account: amount}
                )
                [posting] = ledger.post(session, drafts=[draft], now=at)
                assert posting.is_posted

    def statement(self, period, **chosen):
        with self.house.databases["worker"]() as session:
            person = subscribers.recipient(session, msisdn=self.msisdn)
            return statements.open_statement(session, person=person, period=period, **chosen)

    def lines(self, statement):
        return list(statements.lines(self.house.databases["worker"], statement))


@pytest.fixture
def book(house, otieno):
    return Book(house, otieno)


def amounts(lines):
    return [line.amount.minor for line in lines]


def test_nothing_at_all(book):
    statement = book.statement(EVER)
    assert (statement.opening.minor, statement.closing.minor, book.lines(statement)) == (0, 0, [])


def test_days_are_nairobis_and_half_open(book):
    book.move((1, MIDNIGHT - TICK), (2, MIDNIGHT), (4, MIDNIGHT + timedelta(days=1) - TICK))
    book.move((8, MIDNIGHT + timedelta(days=1)))
    statement = book.statement(Period.days(date(2026, 11, 21), date(2026, 11, 22)))
    assert amounts(book.lines(statement)) == [2, 4]
    assert (statement.opening.minor, statement.closing.minor) == (1, 7)


@pytest.mark.parametrize("days", [(21, 21), (22, 21)])
def test_a_period_ends_after_it_begins(days):
    with pytest.raises(InvalidPeriod):
        Period.days(date(2026, 11, days[0]), date(2026, 11, days[1]))


def test_an_account_that_was_never_opened(book):
    with pytest.raises(UnknownAccount):
        book.statement(EVER, currency=Currency.BTC)


class TestEveryBook:
    """Hypothesis: any amounts at any instants, cut anywhere."""

    ticks = st.integers(-4, 4).map(lambda n: n * TICK)
    instants = st.one_of(
        ticks.map(lambda by: MIDNIGHT + by),
        st.integers(0, 5).map(lambda n: MIDNIGHT + timedelta(hours=n)),
    )
    movements = st.lists(st.tuples(st.integers(1, 10**12), st.booleans(), instants), max_size=25)

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(movements=movements, cuts=st.lists(instants, min_size=2, max_size=6), late=st.booleans())
    def test_adds_up_and_adjoins(self, book, movements, cuts, late):
        book.house.bank.empty()
        person = book.house.register("+254733000002", name="Otieno")
        fresh = Book(book.house, person)
        if not late:  # else clocks disagree: what comes later may say an earlier time
            movements = sorted(movements, key=lambda each: each[2])
        held, told = 0, []
        for amount, is_out, at in movements:
            moved = -min(amount, held) if is_out else amount
            if moved:
                told.append((moved, at))
                held += moved
        fresh.move(*told)
        edges = sorted({EVER.begin, *cuts, EVER.end})
        seen, closing = [], 0
        for begin, end in pairwise(edges):
            statement = fresh.statement(Period(begin, end))
            lines = fresh.lines(statement)
            assert statement.opening.minor == closing
            moved = sum(line.moved.minor for line in lines)
            closing = statement.closing.minor
            assert statement.opening.minor + moved == closing
            assert statement.paid_in.minor + statement.paid_out.minor == moved
            assert len(lines) == statement.lines_count
            if not late:
                assert all(begin <= line.at < end for line in lines)
            seen += lines
        assert amounts(seen) == [moved for moved, _ in told]
        assert closing == held
        assert [line.number for line in seen] == list(range(1, len(told) + 1))


def test_every_kind_of_movement_adds_up_in_every_account(house):
    traffic = Traffic.open(house)
    traffic.give_dollars()
    traffic.steps(80, seed=3)
    traffic.leave_a_debt()
    traffic.leave_a_refund()
    accounts = fees = 0
    for msisdn in [*traffic.msisdns, "+254712000199"]:
        book = Book(house, Named(house, msisdn))
        for currency in (Currency.KES, Currency.USD):
            for place in statements.PLACES:
                try:
                    statement = book.statement(EVER, currency=currency, place=place)
                except UnknownAccount:
                    continue
                lines = book.lines(statement)
                moved = sum(line.moved.minor for line in lines)
                assert statement.opening.minor + moved == statement.closing.minor
                assert statement.fees.minor == sum(line.fee.minor for line in lines)
                path = statements.PLACES[place].named(currency, owner=owner_of(house, msisdn))
                with house.databases["worker"]() as session:
                    assert ledger.balance(session, path=path) == statement.closing
                for before, line in pairwise(lines):
                    assert before.balance + line.moved == line.balance
                accounts += 1
                fees += statement.fees.minor
    assert accounts > 15
    charged = house.bank.one(
        "SELECT sum(e.amount) FROM entries e JOIN accounts a ON a.id = e.account_id"
        " JOIN journals j ON j.id = e.journal_id"
        " WHERE a.path ~ '^(fees|tax):' AND j.reason <> 'reversal'"
    )
    assert fees == charged


def owner_of(house, msisdn):
    return house.bank.one("SELECT id FROM subscribers WHERE msisdn = :m", m=msisdn)


class Named:
    """Whoever has a number."""

    def __init__(self, house, msisdn) -> None:
        self.phone = house.phone(msisdn)


def test_by_cursor_every_line_comes_once_while_more_come_in(book):
    book.move(*[(number, MIDNIGHT) for number in range(1, 24)])
    seen, before = [], None
    while True:
        with book.house.databases["web"]() as session:
            page = statements.latest(session, account=book.account, lines_max=5, before=before)
        if not page:
            break
        seen += amounts(page)
        before = page[-1].number
        book.move((100 + before, MIDNIGHT))
    assert seen == list(range(23, 0, -1))


def test_the_other_side_is_named_in_every_currency(house, wanjiru, otieno):
    hers, his = Book(house, wanjiru), Book(house, otieno)
    ids = {}
    with house.databases["owner"].begin() as session:
        for name, msisdn in (("w", hers.msisdn), ("o", his.msisdn)):
            owner = subscribers.recipient(session, msisdn=msisdn).id
            ids[name] = chart.MAIN.open(session, currency=Currency.USD, owner=owner)
        cash = chart.SANDBOX_CASH.open(session, currency=Currency.USD)
        for key, legs in (("a", {cash: -9, ids["w"]: 9}), ("b", {ids["w"]: -4, ids["o"]: 4})):
            ledger.post(session, drafts=[Draft(key, Reason.TRANSFER, legs)], now=house.clock())
    [line] = his.lines(his.statement(EVER, currency=Currency.USD))
    assert (line.name, line.msisdn) == ("Wanjiru", hers.msisdn)
    assert line.amount == Money(4, Currency.USD)
    assert [line.name for line in hers.lines(hers.statement(EVER, currency=Currency.USD))] == [
        "",
        "Otieno",
    ]


LONG_HISTORY = """
    INSERT INTO journals (id, key, reason, posted_at) OVERRIDING SYSTEM VALUE
    SELECT n, 'n' || n, 'opening', :at + n * interval '1 minute' FROM generate_series(1, :count) n;
    INSERT INTO entries SELECT :cash, n, n, -1, -n FROM generate_series(1, :count) n;
    INSERT INTO entries SELECT :account, n, n, 1, n FROM generate_series(1, :count) n;
    UPDATE accounts SET balance = CASE id WHEN :cash THEN -:count ELSE :count END, version = :count
    WHERE id IN (:cash, :account)
"""


@pytest.mark.timeout(300)
def test_a_long_history_is_not_summed_up(house, otieno):
    """A statement of one day among 200,000 entries reads that day."""
    book = Book(house, otieno)
    count = 200_000
    with house.bank.owner.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("SET LOCAL statement_timeout = '120s'"))
        for statement in LONG_HISTORY.split(";"):
            session.execute(
                text(statement),
                {"at": MIDNIGHT, "count": count, "cash": book.cash, "account": book.account},
            )
    house.bank.run("ANALYZE entries, journals, accounts")
    day = Period.days(date(2027, 3, 1), date(2027, 3, 2))
    with house.databases["worker"]() as session:
        person = subscribers.recipient(session, msisdn=book.msisdn)
        session.execute(text("SELECT 1"))
        began = time.perf_counter()
        statement = statements.open_statement(session, person=person, period=day)
        took = time.perf_counter() - began
        plan = [
            row[0]
            for row in session.execute(
                text("EXPLAIN (ANALYZE, BUFFERS) " + str(statements._BEFORE)),
                {"account": book.account, "at": MIDNIGHT},
            )
        ]
    assert statement.lines_count == 24 * 60
    assert statement.closing.minor - statement.opening.minor == 24 * 60
    assert took < 0.5
    assert not any("Seq Scan" in line for line in plan), plan
    house.reset()
