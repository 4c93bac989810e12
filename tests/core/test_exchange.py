"""Exchange: a price promised for a minute, and executed at exactly that price."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import chart, exchange, execution, ledger, orders, rates
from core.exchange import QuoteExpired, QuoteUsed, UnknownQuote
from core.ledger import InsufficientFunds
from core.money import Currency, Money, kes
from core.orders import Kind, State
from core.rates import ExchangeTooSmall, Rate, RateStale, SameCurrency
from workers import rates as rate_jobs
from workers.queues import Name

USD, EUR, BTC = Currency.USD, Currency.EUR, Currency.BTC


class Counter:
    """Somebody who exchanges money."""

    def __init__(self, house, person) -> None:
        self.house = house
        self.owner = house.bank.one(
            "SELECT id FROM subscribers WHERE msisdn = :m", m=person.phone.msisdn
        )

    def feed(self, **pairs: tuple[str, str]):
        """What the source says now: `USDKES=("129", "130")`."""
        now = self.house.clock()
        told = [
            Rate(Currency[p[:-3]], Currency[p[-3:]], Decimal(bid), Decimal(ask), "test", now)
            for p, (bid, ask) in pairs.items()
        ]
        with self.house.databases["worker"].begin() as session:
            rates.record(session, rates=told, now=now)

    def quote(self, give, currency):
        with self.house.databases["web"].begin() as session:
            return exchange.quote(
                session, subscriber=self.owner, give=give, currency=currency, now=self.house.clock()
            )

    def order(self, quote, *, key="k", owner=None):
        with self.house.databases["web"].begin() as session:
            return exchange.order(
                session,
                subscriber=owner or self.owner,
                quote=quote,
                key=key,
                now=self.house.clock(),
            )

    def place(self, quote):
        """Order past every guard of the web's, as whoever took it over may; the order's id."""
        with self.house.databases["web"].begin() as session:
            args, now = {"quote": quote.id}, self.house.clock()
            kind, owner = Kind.EXCHANGE, self.owner
            return orders.place(
                session, kind=kind, subscriber=owner, args=args, key="past", now=now
            ).id

    def balance(self, place, currency, owner=None):
        with self.house.databases["worker"]() as session:
            return ledger.balance(session, path=place.named(currency, owner=owner))

    def state(self):
        return State(self.house.bank.one("SELECT state FROM orders ORDER BY id DESC LIMIT 1"))


@pytest.fixture
def hers(house, wanjiru):
    found = Counter(house, wanjiru)
    found.feed(USDKES=("129", "131"), EURUSD=("1.1", "1.1"), BTCUSD=("90000", "90000"))
    return found


def test_what_was_promised_is_what_is_posted(hers, house, wanjiru):
    quoted = hers.quote(kes(1000_00), USD)
    # KES 1,000 buys at 131 a dollar, less half a percent for each currency.
    assert quoted.price.get == Money(7_55, USD)
    assert quoted.price.spread == Money(14, USD)  # of 7.69 at the middle price, 130
    hers.feed(USDKES=("200", "201"))
    hers.order(quoted.id)
    house.work(Name.LEDGER)
    house.bell.ring()
    house.work(Name.LEDGER)
    assert hers.state() is State.DONE
    assert wanjiru.balance == kes(250_00)
    assert hers.balance(chart.MAIN, USD, hers.owner) == Money(7_55, USD)
    assert hers.balance(chart.LIQUIDITY, Currency.KES) == kes(1000_00)
    assert hers.balance(chart.LIQUIDITY, USD) == Money(-7_69, USD)
    assert hers.balance(chart.SPREAD, USD) == Money(14, USD)
    messages = [each["message"] for each in house.messages(wanjiru.phone.msisdn)]
    assert any("Got USD 7.55 for KES 1,000.00, fee USD 0.14" in each for each in messages)


@pytest.mark.parametrize("promised", [{"get": 7_70}, {"get": 10**15}, {"spread": 15}])
def test_a_quote_that_no_rate_could_have_made_moves_nothing(hers, house, wanjiru, promised, capfd):
    """The web may write quotes: taken over, it must not be able to print money by them."""
    quoted = hers.quote(kes(1000_00), USD)
    with house.databases["web"].begin() as session:
        get, spread = promised.get("get", "get"), promised.get("spread", "spread")
        columns = f"give_currency, give, get_currency, {get}, {spread}, rate, source, rate_at"
        made = session.scalar(
            text(
                "INSERT INTO quotes (subscriber_id, give_currency, give, get_currency, get, spread,"
                f" rate, source, rate_at, quoted_at, expires_at) SELECT subscriber_id, {columns},"
                " quoted_at, expires_at FROM quotes WHERE id = :id RETURNING id"
            ),
            {"id": quoted.id},
        )
    hers.order(made)
    house.bell.ring()
    house.work(Name.LEDGER)
    assert hers.state() is State.REFUSED
    assert wanjiru.balance == kes(1250_00)
    assert "QuoteForged" in "".join(capfd.readouterr())


def test_a_quote_of_an_old_price_moves_nothing(hers, house, wanjiru):
    """Dated back to when the market was lower, it is what that market could have made."""
    then = house.clock()
    house.clock.passes(minutes=12)
    hers.feed(USDKES=("160", "161"))
    with house.databases["web"].begin() as session:
        made = session.scalar(
            text(
                "INSERT INTO quotes (subscriber_id, give_currency, give, get_currency, get, spread,"
                " rate, source, rate_at, quoted_at, expires_at)"
                " VALUES (:owner, 'KES', 100000, 'USD', 750, 0, 1, 'test', :then, :then, :soon)"
                " RETURNING id"
            ),
            {"owner": hers.owner, "then": then, "soon": house.clock() + timedelta(minutes=1)},
        )
        # Placed within the minute that was promised, says whoever writes both.
        exchange.order(session, subscriber=hers.owner, quote=made, key="k", now=then)
    house.ring()
    assert hers.state() is State.REFUSED
    assert house.bank.one("SELECT outcome ->> 'code' FROM orders") == "quote-expired"
    assert wanjiru.balance == kes(1250_00)


def test_a_price_that_was_taken_after_its_minute_moves_nothing(hers, house, wanjiru):
    quoted = hers.quote(kes(1000_00), USD)
    house.clock.passes(seconds=60)
    used = {"order": hers.place(quoted), "quote": quoted.id}
    with house.databases["web"].begin() as session:
        session.execute(text("UPDATE quotes SET order_id = :order WHERE id = :quote"), used)
    house.ring()
    assert house.bank.one("SELECT outcome ->> 'code' FROM orders") == "quote-expired"
    assert wanjiru.balance == kes(1250_00)


def test_an_order_that_waited_for_a_worker_is_executed_or_told_that_it_is_too_late(hers, house):
    house.workers_are_there = False
    for key, minutes, state in (("soon", 10, State.DONE), ("late", 12, State.REFUSED)):
        hers.feed(USDKES=("129", "131"))
        hers.order(hers.quote(kes(100_00), USD).id, key=key)
        house.clock.passes(minutes=minutes)
        house.work(Name.LEDGER)
        execution.execute(house.databases["worker"], now=house.clock())
        assert hers.state() is state


def test_a_price_that_was_used_is_of_no_other_order(hers, house, wanjiru):
    quoted = hers.quote(kes(100_00), USD)
    hers.order(quoted.id)
    house.ring()
    again = hers.place(quoted)
    with (
        pytest.raises(DBAPIError, match="that is final"),
        house.databases["web"].begin() as session,
    ):
        session.execute(text("UPDATE quotes SET order_id = :o"), {"o": again})
    house.ring()
    # An order without a price moves nothing, and is not asked about for ever.
    assert hers.state() is State.REFUSED
    assert wanjiru.balance == kes(1150_00)


def test_the_other_way_is_sold_at_the_bid(hers):
    with hers.house.databases["web"]() as session:
        price = rates.price(
            session, give=Money(10_00, USD), currency=Currency.KES, now=hers.house.clock()
        )
    assert price.get == kes(1277_10)  # 1,290.00 at the bid, less one percent


def test_without_a_pair_it_goes_through_dollars(hers):
    price = hers.quote(kes(1000_00), BTC).price
    assert 0 < price.get.minor < 1000 * 10**8 / 131 / 90000
    assert price.spread.minor > 0


@pytest.mark.parametrize("age", [89, 90, 600])
def test_a_stale_rate_is_refused(hers, age):
    hers.house.clock.passes(seconds=age)
    if age < 90:
        assert hers.quote(kes(100_00), USD)
        return
    with pytest.raises(RateStale):
        hers.quote(kes(100_00), USD)


def test_what_cannot_be_exchanged(hers):
    with pytest.raises(SameCurrency):
        hers.quote(kes(1_00), Currency.KES)
    with pytest.raises(ExchangeTooSmall):
        hers.quote(kes(1), USD)
    with pytest.raises(RateStale):
        hers.quote(kes(1_00), Currency.NGN)
    with pytest.raises(InsufficientFunds):
        hers.quote(kes(1250_01), USD)
    with pytest.raises(InsufficientFunds):
        hers.quote(Money(1, EUR), USD)


def test_a_promise_is_for_a_minute_for_one_order_of_its_owner(hers, house, otieno):
    quoted = hers.quote(kes(100_00), USD)
    with pytest.raises(UnknownQuote):
        hers.order(quoted.id, owner=Counter(house, otieno).owner)
    first = hers.order(quoted.id, key="one")
    assert hers.order(quoted.id, key="one").id == first.id
    with pytest.raises(QuoteUsed):
        hers.order(quoted.id, key="two")
    late = hers.quote(kes(100_00), USD)
    house.clock.passes(seconds=60)
    with pytest.raises(QuoteExpired):
        hers.order(late.id, key="three")
    assert hers.order(quoted.id, key="one").id == first.id  # a repeat is one however late
    assert house.bank.one("SELECT count(*) FROM orders") == 1


def test_one_promise_ordered_by_many_at_once_is_one_order(hers, house):
    quoted = hers.quote(kes(100_00), USD)

    def order(number):
        try:
            hers.order(quoted.id, key=f"k{number}")
        except QuoteUsed:
            return 0
        return 1

    with ThreadPoolExecutor(8) as hands:
        assert sum(hands.map(order, range(16))) == 1
    assert house.bank.one("SELECT count(*) FROM orders") == 1


def test_money_that_went_meanwhile_is_refused_and_told(hers, house, wanjiru, otieno):
    quoted = hers.quote(kes(1000_00), USD)
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    hers.order(quoted.id)
    house.bell.ring()
    house.work(Name.LEDGER)
    assert hers.state() is State.REFUSED
    messages = [each["message"] for each in house.messages(wanjiru.phone.msisdn)]
    assert any("Not exchanged: KES 1,000.00. You have KES 745.00." in each for each in messages)


@settings(max_examples=60, deadline=None)
@given(
    minor=st.integers(1, 10**9),
    bid=st.decimals("0.0001", "100000", places=4),
    wider=st.decimals("0", "0.1", places=3),
)
def test_no_exchange_and_no_round_trip_gains(minor, bid, wider):
    """Rounding is ours: back and forth nobody ends with more than they began with."""
    ask = bid * (1 + wider)
    there = rates._worth(Money(minor, USD), Decimal(bid), Currency.KES)
    exact = Fraction(minor) * Fraction(bid)
    assert 0 <= exact - there.minor < 1
    back = rates._worth(there, 1 / Decimal(ask), USD)
    assert back.minor <= minor


class TestTheFeed:
    def told(self, house, **how):
        requests.put(f"{house.country_url}/rates", json=how, timeout=5).raise_for_status()

    def kept(self, house):
        return house.bank.one("SELECT count(*) FROM rates")

    def test_is_fetched_by_the_relays_ring_and_kept(self, house, wanjiru):
        house.clock.now = house.bank.one("SELECT now()")
        house.relay._priced_at = -60.0
        house.relay.once()
        house.work(Name.SMS)
        assert self.kept(house) == 6
        assert Counter(house, wanjiru).quote(kes(1000_00), USD).price.get.minor > 7_00

    @pytest.mark.parametrize(
        "how",
        [
            {"status": 503},
            {"rates": "nonsense"},
            {"rates": [{"base": "USD", "quote": "KES", "bid": "-1", "ask": "2"}]},
            {"rates": [{"base": "USD", "quote": "KES", "bid": "3", "ask": "2"}]},
            {"rates": [{"base": "USD", "quote": "KES", "bid": "NaN", "ask": "2"}]},
        ],
        ids=str,
    )
    def test_that_makes_no_sense_is_not_believed(self, house, how, capfd):
        self.told(house, **how)
        rate_jobs.refresh()
        assert self.kept(house) == 0
        assert "rates.not_fetched" in capfd.readouterr().err

    def test_of_currencies_we_do_not_hold_is_passed_over(self, house):
        pairs = [
            {"base": "USD", "quote": "ZMW", "bid": "1", "ask": "2"},
            {"base": "USD", "quote": "KES", "bid": "1", "ask": "2"},
        ]
        house.clock.now = house.bank.one("SELECT now()")
        self.told(house, rates=pairs)
        rate_jobs.refresh()
        assert self.kept(house) == 1

    def test_whose_clock_is_ahead_is_not_believed(self, house):
        house.clock.now = house.bank.one("SELECT now()") - timedelta(minutes=5)
        rate_jobs.refresh()
        assert self.kept(house) == 0
