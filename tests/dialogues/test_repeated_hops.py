"""A hop whose answer was lost after it was done, and that the aggregator sends again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.exceptions import RedisError
from voucher_shop import opened

from core.money import kes
from menus.sessions import Dial


class Forgetful:
    """Sessions whose turns are begun and never committed."""

    def __init__(self, sessions) -> None:
        self.recall, self.claim, self.open = sessions.recall, sessions.claim, sessions.open

    def commit(self, dial, opened, **_kept):
        raise RedisError


@pytest.fixture
def hears_twice(house):
    """Answer a phone's next hop, lose that, and answer the same hop again."""

    def hears_twice(phone, said):
        dial = Dial(phone.session_id, phone.msisdn, "*384#", f"{phone.text}*{said}")
        sessions = house.conversation.sessions
        replace(house.conversation, sessions=Forgetful(sessions)).hear(dial)
        house.ring()
        house.redis.hset(f"kabambe:ussd:{phone.session_id}", "until", 0)
        return house.conversation.hear(dial).body

    return hears_twice


def test_a_voucher_is_had_once_and_said_to_be(house, wanjiru, hears_twice):
    with opened(house) as shop:
        code = shop.codes(count=1)[0]
    wanjiru.phone.dial().types("5", "2")
    said = hears_twice(wanjiru.phone, code)
    assert said.startswith("END You have received KES 100.00 from a voucher.")
    assert wanjiru.balance == kes(1350_00)
    # In another hop it is what it was.
    wanjiru.phone.dial().types("5", "2", code)
    assert wanjiru.phone.screen.startswith("That voucher was used already.")


def test_money_is_asked_back_once_and_said_to_be(house, wanjiru, otieno, hears_twice):
    wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
    wanjiru.phone.dial().types("2", "1", "1", "1")
    said = hears_twice(wanjiru.phone, "4071")
    assert said.startswith("END You asked for KES 50.00 back from Otieno.")
    assert house.bank.one("SELECT count(*) FROM reversals") == 1
    lines = "SELECT count(*) FROM audit_log WHERE action = 'reversal-requested'"
    assert house.bank.one(lines) == 1
