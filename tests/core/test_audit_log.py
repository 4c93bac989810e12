"""The audit log: what was done to an account is kept with who, from where, and by which session."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from core import audit
from core.audit import Action, Actor

HERS = "+254712000001"


def lines(house, subject="subscriber:1"):
    with house.databases["worker"]() as session:
        return [
            (each.action, each.actor, each.origin, each.request.split(":")[0])
            for each in audit.history(session, subject=subject)
        ]


def test_what_a_person_does_to_their_account(house):
    phone = house.phone(HERS)
    phone.dial().types("1", "Wanjiru", "4071", "4071", "1")
    phone.dial().types("3", "2", "2")
    phone.dial().types("3", "1", "1", "4071", "8052", "8052")
    for _ in range(3):
        phone.dial().types("3", "1", "1", "1111")
    assert lines(house) == [
        ("pin-locked", HERS, "ussd", "ussd"),
        ("pin-set", HERS, "ussd", "ussd"),
        ("language-set", HERS, "ussd", "ussd"),
        ("pin-set", HERS, "ussd", "ussd"),
        ("registered", HERS, "ussd", "ussd"),
    ]


def test_it_holds_no_pin(house):
    phone = house.phone(HERS)
    phone.dial().types("1", "Wanjiru", "4071", "4071", "1")
    phone.dial().types("3", "1", "1", "4071", "8052", "8052")
    kept = " ".join(str(row) for row in house.bank.rows("SELECT * FROM audit_log"))
    assert "4071" not in kept.replace("2026", "")
    assert "8052" not in kept


def test_it_is_read_page_by_page(house):
    with house.databases["worker"].begin() as session:
        for number in range(7):
            actor = Actor("staff:jane", "127.0.0.1", f"r{number}")
            audit.record(
                session,
                actor=actor,
                action=Action.TIER_SET,
                subject="subscriber:9",
                detail={"note": f"{number}"},
                now=house.clock(),
            )
    with house.databases["worker"]() as session:
        first = audit.history(session, subject="subscriber:9", count=4)
        second = audit.history(session, subject="subscriber:9", before=first[-1].id, count=4)
    assert [each.detail["note"] for each in [*first, *second]] == list("6543210")


@pytest.mark.parametrize("role", ["web", "worker"])
@pytest.mark.parametrize(
    "change",
    ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
def test_nobody_rewrites_it(house, wanjiru, role, change):
    assert lines(house)
    with pytest.raises(DBAPIError, match="permission denied"), house.databases[role].begin() as db:
        db.connection().exec_driver_sql(change)
    with pytest.raises(DBAPIError, match="append-only"):
        house.bank.run(change)
