"""Apps in the hands of the people of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from app import App
from bank import OPENER

from core import merchants, subscribers


@pytest.fixture
def app(house) -> App:
    """An app that nobody is logged in to."""
    return App(house.app.test_client())


@pytest.fixture
def wanjiru_s(house, wanjiru) -> App:
    return App(house.app.test_client(), house.logged_in(wanjiru.phone.msisdn))


@pytest.fixture
def otieno_s(house, otieno) -> App:
    return App(house.app.test_client(), house.logged_in(otieno.phone.msisdn))


@pytest.fixture
def till(house, otieno) -> str:
    """The till of Otieno's shop."""
    with house.databases["worker"].begin() as session:
        return merchants.open_till(
            session,
            subscriber=subscribers.recipient(session, msisdn=otieno.phone.msisdn).id,
            actor=OPENER,
            now=house.clock(),
        )


@pytest.fixture
def busy(house) -> Iterator[None]:
    """Everybody may do ten times as much within an hour."""
    house.bank.run("UPDATE limits SET hour_count_max = hour_count_max * 10")
    yield
    house.bank.run("UPDATE limits SET hour_count_max = hour_count_max / 10")
