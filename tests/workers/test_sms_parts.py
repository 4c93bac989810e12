"""How many SMS a message was, whether or not the provider tells."""

from __future__ import annotations

import pytest

from core import outbox
from core.outbox import Event, Fact


def test_parts_are_counted_where_the_provider_tells_none(house, wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
    house.send_messages()
    assert house.bank.rows("SELECT DISTINCT state, parts FROM messages") == [("sent", 1)]


@pytest.mark.parametrize(
    ("said", "parts"), [("a" * 160, 1), ("a" * 161, 2), ("\u20ae" * 70, 1), ("\u20ae" * 71, 2)]
)
def test_long_ones_and_other_letters_are_more(house, said, parts):
    with house.databases["worker"].begin() as session:
        fact = Fact(Event.ANNOUNCED, "+254712000001", "en", {"said": said})
        outbox.stage(session, facts=[fact], now=house.clock())
    house.send_messages()
    assert house.bank.rows("SELECT state, parts FROM messages") == [("sent", parts)]
