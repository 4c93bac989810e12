"""What is over of logging in is deleted, and nothing that lets in or tells on anybody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from colleague import Colleague
from house_parts import CHEST
from smartphone import Smartphone, refused
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.access import clearing, issuers, staff, tickets, tries
from core.access.tickets import Shown
from workers import access
from workers.queues import Name

NUMBER = "+254712000001"


@pytest.fixture
def app(house, wanjiru) -> Smartphone:
    return Smartphone(house).logs_in()


def count(house, table, **which):
    where = " AND ".join(f"{name} = :{name}" for name in which) or "true"
    return house.bank.one(f"SELECT count(*) FROM {table} WHERE {where}", **which)


def web(house, work):
    with house.databases["web"].begin() as session:
        return work(session)


class TestRefreshTokens:
    def test_a_used_one_that_is_shown_within_its_time_still_ends_the_family(self, house, app):
        stolen = app.refresh_token
        house.clock.passes(days=6, hours=23)
        app.refreshes()
        access.clear()
        assert count(house, "refreshes") == 2
        refused(app.post("/auth/refresh", refresh_token=stolen), 401, "not-known")
        refused(app.post("/auth/refresh", refresh_token=app.refresh_token), 401, "not-known")
        assert house.bank.one("SELECT revoked_because FROM devices") == "reused"

    def test_one_that_is_over_goes_a_day_later_and_the_family_stays(self, house, app):
        old = app.refresh_token
        house.clock.passes(days=6)
        app.refreshes()
        house.clock.passes(days=2, seconds=-1)
        access.clear()
        assert count(house, "refreshes") == 2
        refused(app.post("/auth/refresh", refresh_token=old), 401, "not-known")
        house.clock.passes(seconds=1)
        access.clear()
        assert count(house, "refreshes") == 1
        refused(app.post("/auth/refresh", refresh_token=old), 401, "not-known")
        assert app.refreshes().is_in()

    def test_what_people_did_stays(self, house, app):
        told = count(house, "audit_log")
        house.clock.passes(days=8)
        access.clear()
        assert (count(house, "refreshes"), count(house, "devices")) == (0, 1)
        assert count(house, "audit_log") == told


def test_those_of_staff_go_a_day_after_their_log_in_ends(house):
    Colleague(house, "jane").logs_in()
    house.clock.passes(seconds=(staff.LASTS + clearing.KEPT_FOR).total_seconds() - 1)
    Colleague(house, "peter").logs_in()
    access.clear()
    assert (count(house, "staff_refreshes"), count(house, "staff_log_ins")) == (2, 2)
    house.clock.passes(seconds=1)
    access.clear()
    assert (count(house, "staff_refreshes"), count(house, "staff_log_ins")) == (1, 2)


def test_tickets_and_attempts_to_sign_in_go_a_day_after_their_end(house):
    now = house.clock()
    web(house, lambda session: tickets.give(session, msisdn=NUMBER, shown=Shown.CODE, now=now))
    web(house, lambda session: issuers.begin(session, subscriber=None, chest=CHEST, now=now))
    house.clock.passes(seconds=(tickets.LIVES + clearing.KEPT_FOR).total_seconds() - 1)
    access.clear()
    assert (count(house, "tickets"), count(house, "sign_ins")) == (1, 1)
    house.clock.passes(seconds=1)
    access.clear()
    assert (count(house, "tickets"), count(house, "sign_ins")) == (0, 0)


class TestWrongTries:
    def tries(self, house, number, times=1):
        for _each in range(times):
            web(
                house,
                lambda session: tries.count(
                    session, subject=tries.of_number(number), now=house.clock()
                ),
            )

    def test_they_go_when_they_count_no_more(self, house):
        self.tries(house, "+254700000001", tries.TRIES_MAX - 1)
        house.clock.passes(seconds=tries.TRIES_FOR.total_seconds() - 1)
        self.tries(house, "+254700000002")
        access.clear()
        assert count(house, "log_in_tries") == 2
        house.clock.passes(seconds=1)
        access.clear()
        assert house.bank.one("SELECT subject FROM log_in_tries") == "number:+254700000002"

    def test_a_lock_stays_until_it_is_open(self, house):
        self.tries(house, NUMBER, tries.TRIES_MAX)
        later = house.clock() + timedelta(days=2)
        house.bank.run("UPDATE log_in_tries SET locked_until = :later", later=later)
        house.clock.passes(days=1, hours=1)
        access.clear()
        assert count(house, "log_in_tries") == 1
        house.clock.passes(days=1)
        access.clear()
        assert count(house, "log_in_tries") == 0


def test_many_go_lot_by_lot(house, monkeypatch):
    for days in range(5):
        now = house.clock() - timedelta(days=days)
        web(
            house,
            lambda session, now=now: tickets.give(
                session, msisdn=NUMBER, shown=Shown.CODE, now=now
            ),
        )
    monkeypatch.setattr(clearing, "CLEARED_MAX", 2)
    with house.databases["worker"].begin() as session:
        assert clearing.clear(session, now=house.clock() + timedelta(days=2)) == 2
    house.clock.passes(days=2)
    access.clear()
    assert count(house, "tickets") == 0


def test_the_relay_rings_for_it(house):
    now = house.clock()
    web(house, lambda session: tickets.give(session, msisdn=NUMBER, shown=Shown.CODE, now=now))
    house.clock.passes(days=2)
    house.relay._forgotten_at = float("-inf")
    house.relay.once()
    house.work(Name.SMS)
    assert count(house, "tickets") == 0


@pytest.mark.parametrize(
    "hidden", ["hash FROM refreshes", "hash FROM tickets", "hash FROM staff_refreshes"]
)
def test_who_clears_sees_no_token(house, hidden):
    with house.databases["worker"]() as session, pytest.raises(ProgrammingError, match="denied"):
        session.execute(text(f"SELECT {hidden}"))


@pytest.mark.parametrize(
    "table", ["refreshes", "staff_refreshes", "tickets", "sign_ins", "log_in_tries"]
)
def test_the_web_deletes_nothing(house, table):
    with house.databases["web"]() as session, pytest.raises(ProgrammingError, match="denied"):
        session.execute(text(f"DELETE FROM {table}"))
