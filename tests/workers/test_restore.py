"""A database that was restored from an old copy moves no money; one that was not, does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import holds
from core.money import kes
from workers import ledger


@pytest.fixture
def people(copies):
    house = copies.house
    wanjiru = house.register("+254712000001", name="Wanjiru", balance="1,250")
    otieno = house.register("+254733000002", name="Otieno")
    return wanjiru, otieno


def send(person, amount: str) -> None:
    person.phone.dial().types("1", "0733000002", amount, "4071")


def states(house) -> list[str]:
    return [state for (state,) in house.bank.rows("SELECT state FROM orders ORDER BY id")]


def cried(capfd) -> bool:
    return "seal.tail_lost" in capfd.readouterr().err


def test_a_copy_that_lost_the_tail_moves_no_money_until_the_tail_is_back(copies, people, capfd):
    house, (wanjiru, otieno) = copies.house, people
    send(wanjiru, "100")
    house.sealer.once()
    copies.back_up("old")
    send(wanjiru, "200")
    house.sealer.once()
    copies.back_up("new")
    said = (house.outside / "checkpoints.jsonl").read_text()

    copies.restore("old")
    send(wanjiru, "50")
    assert states(house) == ["done", "placed"]
    assert otieno.balance == kes(100_00)
    assert house.sealer.once() == 0
    assert (house.outside / "checkpoints.jsonl").read_text() == said
    ready = house.client.get("/ready")
    assert ready.status_code == 503
    assert ready.json["log"] == "the database holds 2 leaves, but 3 were published"
    ledger.execute()
    assert states(house) == ["done", "placed"], "asked again, it still does not"
    assert cried(capfd)

    copies.restore("new")
    assert house.client.get("/ready").status_code == 200
    send(wanjiru, "50")
    assert states(house) == ["done"] * 3
    assert otieno.balance == kes(350_00)
    assert house.sealer.once() == 1


def test_a_whole_copy_alarms_nobody(copies, people, capfd):
    house, (wanjiru, otieno) = copies.house, people
    send(wanjiru, "100")
    house.sealer.once()
    send(wanjiru, "200")  # posted, not sealed yet: nothing was said of it
    copies.back_up("whole")
    copies.restore("whole")
    send(wanjiru, "50")
    assert states(house) == ["done"] * 3
    assert otieno.balance == kes(350_00)
    assert house.sealer.once() == 2
    assert not cried(capfd)


def test_a_copy_that_went_another_way_moves_no_money(copies, people, capfd):
    """The same length, other journals: as long as what was published, and not the same."""
    house, (wanjiru, otieno) = copies.house, people
    send(wanjiru, "100")
    house.sealer.once()
    copies.back_up("old")
    published = copies.said()
    send(wanjiru, "200")
    house.sealer.once()
    later = copies.said()
    copies.restore("old")
    copies.say(published)  # for a while, what was published is lost too
    send(wanjiru, "300")
    assert house.sealer.once() == 1
    copies.say(later)
    send(wanjiru, "50")
    assert states(house) == ["done", "done", "placed"]
    assert otieno.balance == kes(400_00)
    assert house.client.get("/ready").json["log"] == (
        "the first 3 leaves are not those that were published"
    )
    assert cried(capfd)


def test_a_hold_does_not_come_back_in_a_copy_that_lost_the_tail(copies, people):
    house, (wanjiru, _otieno) = copies.house, people
    with house.databases["worker"].begin() as session:
        owner = house.bank.one("SELECT id FROM subscribers WHERE name = 'Wanjiru'")
        ends = house.clock() + timedelta(minutes=5)
        place(session, owner=owner, expires_at=ends, now=house.clock())
    house.sealer.once()
    copies.back_up("old")
    send(wanjiru, "200")
    house.sealer.once()
    copies.restore("old")
    house.clock.passes(minutes=6)
    ledger.expire_holds()
    assert house.bank.one("SELECT state FROM holds") == "open"


def place(session, *, owner, expires_at, now) -> None:
    holds.place(session, owner=owner, amount=kes(10_00), key="hold", expires_at=expires_at, now=now)
