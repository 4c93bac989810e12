"""
Money that came in over a rail and that staff have decided about: it has come once.

And what our hand cannot record of one page keeps it from no other.
"""

from __future__ import annotations

from functools import partial

import pytest
from rail_line import NGOZI, Line
from rails_under_test import NAMES, ngn

from core import deposits, resolutions, subscribers
from core.audit import Actor
from core.db import transact
from core.resolutions import NothingSuspended
from workers import rail_work

JANE = Actor("staff:jane", "desk", "r1")
AMINA = "+254712000077"
OTHER = 10_000


@pytest.fixture(params=NAMES)
def line(request, house):
    found = Line(house, request.param)
    house.register(AMINA, name="Amina")
    return found


@pytest.fixture
def deposit(line) -> int:
    """Another amount was paid than she was asked for: it stands in suspense."""
    made = line.page()
    line.fake.fault(on="pay", amount=OTHER)
    line.person("pay", made)
    line.carry()
    line.works()
    assert line.balance("suspense:{rail}:ngn") == OTHER
    return made


def decide(line, do, **more):
    [case] = line.cases()
    with line.owner() as session:
        known = {"case": case.id, "actor": JANE, "note": "seen", "now": line.house.clock()}
        do(session, **known, **more)


def credit(line, msisdn):
    with line.owner() as session:
        person = subscribers.find(session, msisdn=msisdn)
    decide(line, resolutions.credit, person=person)


def book(line):
    return line.balance("suspense:{rail}:ngn"), line.balance("{rail}:balance:ngn")


def news(line, deposit):
    """The rail has news of the page, and says of it what it said before."""
    line.signed(deposit, again=1)
    line.works()


@pytest.mark.parametrize("whose", [NGOZI, AMINA])
def test_credited_otherwise_it_has_come_once_whatever_news_there_is(line, deposit, whose):
    credit(line, whose)
    assert line.deposit(deposit).state == "failed"
    before = book(line)
    assert before[0] == 0
    news(line, deposit)
    assert (book(line), line.cases(), line.deposit(deposit).state) == (before, [], "failed")
    assert line.deposit(deposit).next_ask_at is None


def test_struck_it_is_for_staff_again_who_alone_say_that_it_came(line, deposit):
    decide(line, resolutions.strike)
    before = book(line)
    news(line, deposit)
    [case] = line.cases()
    assert (book(line), case.kind, case.amount) == (before, "conflict", 0)
    had = line.has()
    credit(line, NGOZI)
    assert line.balance("suspense:{rail}:ngn") == 0
    assert 0 < line.has() - had <= OTHER
    news(line, deposit)
    assert line.cases() == []


def test_under_another_receipt_staff_look_and_nothing_moves(line, deposit):
    credit(line, AMINA)
    before = book(line)
    second = partial(
        deposits.paid,
        deposit=deposit,
        rail_reference=line.reference(deposit),
        receipt="another",
        told=ngn(OTHER),
        cost=None,
        now=line.house.clock(),
    )
    transact(line.house.databases["worker"], second)
    [case] = line.cases()
    assert (case.kind, case.amount, book(line)) == ("second-receipt", 0, before)
    with pytest.raises(NothingSuspended):
        credit(line, AMINA)


def test_one_page_that_cannot_be_recorded_holds_up_no_other(line, monkeypatch):
    made = [line.page() for _ in range(3)]
    recorded = deposits.paid

    def breaks(session, *, deposit, **more):
        if deposit == made[0]:
            raise ValueError(deposit)
        return recorded(session, deposit=deposit, **more)

    with monkeypatch.context() as patched:
        patched.setattr(rail_work.deposits, "paid", breaks)
        for each in made:
            line.person("pay", each)
        line.works(minutes=3)
    assert [line.deposit(each).state for each in made] == ["prompted", "settled", "settled"]
    line.works(minutes=10)
    assert line.deposit(made[0]).state == "settled"
