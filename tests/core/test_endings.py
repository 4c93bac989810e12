"""Ends of sessions as they were told become figures, whatever their fields hold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import ended
import pytest

from core import endings

SENT = "home.Home|send.Recipient|send.Amount|send.Confirm|send.Outcome"


@pytest.fixture
def told(house):
    """Say that a session ended, as the door keeps it; nothing that is None is said."""

    def tell(number, **fields):
        form = {
            "sessionId": f"ATUid_{number}",
            "networkCode": "63902",
            "phoneNumber": "+254712000001",
            "status": "Success",
            "cost": "KES 0.10",
            "durationInMillis": "20000",
            "hopsCount": "5",
            "hopsMetadata": SENT,
            "input": "21 characters",
        } | fields
        ended.tell(house, form, key=form["sessionId"] or f"none{number}")

    return tell


@pytest.fixture
def figures(house):
    """The figures as staff get them, of the day around now."""

    def count(**around):
        now = house.clock()
        with house.databases["worker"]() as session:
            return endings.figures(
                session,
                since=now - timedelta(**(around or {"days": 1})),
                until=now + timedelta(seconds=1),
                now=now,
            )

    return count


def test_nothing_was_told(figures):
    found = figures()
    assert found.total.sessions == 0
    assert (found.days, found.networks, found.languages, found.paths) == ([], [], [], [])
    assert (found.ordered, found.untold, found.uncosted) == (0, 0, 0)


def test_sessions_are_counted_by_how_they_ended(told, figures):
    for number, status in enumerate(["Success", "Success", "Incomplete", "Failed", "Odd", None]):
        told(number, status=status)
    total = figures().total
    assert (total.sessions, total.succeeded, total.broken_off, total.failed) == (6, 2, 1, 1)


def test_an_event_that_comes_twice_counts_once(told, figures):
    told(1)
    told(1, status="Failed")
    assert (figures().total.sessions, figures().total.failed) == (1, 0)


def test_durations_and_hops(told, figures):
    for number in range(100):
        told(number, durationInMillis=str(number + 1), hopsCount=str(1 + number % 2))
    total = figures().total
    assert (total.median_ms, total.p99_ms, total.hops) == (50, 99, 1.5)


def test_costs_are_added_by_currency(told, figures):
    costs = [
        "KES 0.10",
        "KES 1.25",
        "0.00",
        "USD0.5",
        " KES  2",
        "",
        "free",
        "KES 1,000",
        None,
        "-1",
    ]
    for number, cost in enumerate(costs):
        told(number, cost=cost)
    found = figures()
    assert found.total.costs == {"KES": Decimal("3.35"), "": Decimal(0), "USD": Decimal("0.5")}
    assert found.uncosted == 5
    assert found.networks[0].costs == found.total.costs


def test_by_network_and_by_language(told, figures, house, wanjiru, amina):
    told(1, networkCode="63902")
    told(2, networkCode="63903", phoneNumber="254711000003")  # Amina, as some networks write it
    told(3, networkCode="63903", phoneNumber="+254799999999")
    told(4, networkCode="'; DROP TABLE inbox", phoneNumber=None)
    told(5, networkCode=None, phoneNumber="\x1b[2J")
    found = figures()
    assert {each.name: each.sessions for each in found.networks} == {"": 2, "63902": 1, "63903": 2}
    assert {each.name: each.sessions for each in found.languages} == {"": 3, "en": 1, "sw": 1}


def test_a_number_that_had_an_account_before_is_one_caller(told, figures, house):
    phone = house.register("+254733000002", name="Otieno").phone
    phone.dial().types("3", "5", "4071")
    house.clock.passes(days=1)
    house.register(phone.msisdn, name="Juma", language="sw")
    told(1, phoneNumber=phone.msisdn)
    found = figures(hours=1)
    assert found.total.sessions == 1
    assert found.total.costs == {"KES": Decimal("0.10")}
    assert {each.name: each.sessions for each in found.languages} == {"sw": 1}


def test_by_day_as_it_is_in_nairobi(told, figures, house):
    house.clock.passes(hours=14, minutes=29)  # 23:59 there, 20:59 in UTC
    told(1)
    house.clock.passes(minutes=1)
    told(2)
    house.clock.passes(minutes=1)
    told(3)
    days = {each.name: each.sessions for each in figures().days}
    assert days == {"2026-11-21": 1, "2026-11-22": 2}
    assert figures(seconds=30).total.sessions == 1


@pytest.mark.parametrize(
    ("said", "screens"),
    [
        (SENT, tuple(SENT.split("|"))),
        ("home.Home", ("home.Home",)),
        ("", ()),
        (None, ()),
        ("|||", ()),
        ("home.Home|<script>|4071|\x1b[2J.Home|send.Amount", ("home.Home", "send.Amount")),
        ("|".join(["home.Home"] * 500), ("home.Home",) * 100),
    ],
)
def test_ways_are_the_names_of_screens_and_nothing_else(told, figures, said, screens):
    told(1, hopsMetadata=said)
    (path,) = figures().paths
    assert (path.screens, path.is_broken_off, path.sessions) == (screens, False, 1)


def test_the_same_way_is_one(told, figures):
    for number in range(3):
        told(number)
    told(4, status="Incomplete")
    assert [(path.is_broken_off, path.sessions) for path in figures().paths] == [
        (False, 3),
        (True, 1),
    ]


@pytest.mark.parametrize("odd", ["", "-5", "1e9", "12.5", "99999999999", "٣", "x", None])
def test_numbers_that_are_none(told, figures, odd):
    told(1, durationInMillis=odd, hopsCount=odd)
    total = figures().total
    assert (total.sessions, total.hops, total.median_ms, total.p99_ms) == (1, None, None, None)


class TestWhatWasNotTold:
    @pytest.fixture
    def session(self, wanjiru, otieno):
        """A session in which something was ordered."""
        wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
        return wanjiru.phone.session_id

    def test_a_session_that_ordered_something_and_never_ended(self, house, session, figures):
        assert (figures().ordered, figures().untold) == (0, 0)  # it may still be going on
        house.clock.passes(minutes=11)
        assert (figures().ordered, figures().untold) == (1, 1)

    def test_is_told(self, house, session, told, figures):
        told(1, sessionId=session)
        house.clock.passes(minutes=11)
        assert (figures().ordered, figures().untold) == (1, 0)
