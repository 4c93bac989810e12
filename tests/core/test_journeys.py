"""What a journey takes, from the dial in which money was asked for to the last SMS about it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import ended
import pytest
from handset import Handset

from core import journeys
from core.journeys import Journey
from core.money import kes

RECIPIENT = "0711000003"


@pytest.fixture
def told(house):
    """Say that a phone's session ended."""

    def tell(phone, **fields):
        form = {"sessionId": phone.session_id, "hopsCount": "5", "cost": "KES 0.10"} | fields
        ended.tell(house, form)

    return tell


@pytest.fixture
def figures(house):
    """The figures as staff get them, of the day around now."""

    def count(**after):
        since = house.clock() - timedelta(hours=1) + timedelta(**after)
        with house.databases["worker"]() as session:
            return journeys.figures(session, since=since, until=house.clock() + timedelta(hours=1))

    return count


def sends(person, amount="100"):
    person.phone.dial().types("1", RECIPIENT, amount, "4071")
    return person.phone


def test_nobody_asked_for_anything(figures):
    assert figures() == []


def test_a_transfer_is_a_session_and_a_receipt_for_both(house, told, figures, wanjiru, amina):
    told(sends(wanjiru))
    house.send_messages()
    costs = {"KES": Decimal("0.10")}, {"KES": Decimal("1.6000")}
    assert figures() == [Journey("transfer", 1, 5.0, 2.0, *costs)]


def test_hops_and_parts_are_averages_and_costs_are_sums(house, told, figures, wanjiru, amina):
    told(sends(wanjiru), hopsCount="5")
    told(sends(wanjiru, "50"), hopsCount="8")
    sends(wanjiru, "60")  # its end was never told
    house.send_messages()
    [found] = figures()
    assert (found.count, found.hops, found.parts) == (3, 6.5, 2.0)
    assert found.session_costs == {"KES": Decimal("0.20")}
    assert found.sms_costs == {"KES": Decimal("4.8")}


def test_a_refused_one_is_a_journey_with_its_one_notice(house, told, figures, wanjiru, amina):
    house.workers_are_there = False
    told(sends(wanjiru, "900"))
    told(sends(wanjiru, "901"))
    house.workers_are_there = True
    house.send_messages()
    house.send_messages()
    [found] = figures()
    assert (found.count, found.parts) == (2, 1.5)


def test_what_is_told_may_be_anything(told, figures, wanjiru, amina):
    told(sends(wanjiru), hopsCount="many", cost="free")
    told(sends(wanjiru, "50"), hopsCount=None, cost="0.25")
    assert figures() == [Journey("transfer", 2, None, 0.0, {"": Decimal("0.25")}, {})]


def test_what_is_asked_for_by_sms_is_no_journey_by_phone(house, figures, wanjiru, amina):
    Handset(house, wanjiru.phone.msisdn).writes(f"SEND 100 {RECIPIENT}")
    assert wanjiru.balance < kes(1250_00)
    assert figures() == []


def test_nor_what_was_asked_for_before(figures, wanjiru, amina):
    sends(wanjiru)
    assert figures(hours=2) == []
