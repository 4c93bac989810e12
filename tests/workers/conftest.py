"""A desk for what goes out by SMS, people to tell, and programs of theirs."""

from __future__ import annotations

from datetime import datetime

import copies as copying
import pytest
from processes import environment
from programs import Programs

from workers import desk, desk_sms


@pytest.fixture
def copies(built, servers, template, tmp_path):
    """A house of its own, whose database can be backed up and restored."""
    with copying.opened(built, servers, template, tmp_path) as found:
        yield found


@pytest.fixture
def rail(house, rail):
    """One with a float, and a Safaricom behind it."""
    house.safaricom.begin()
    rail.fund()
    return rail


@pytest.fixture
def run(house, monkeypatch, capfd):
    """Give the desk a command at noon; how it ends, and what it prints."""
    for name, value in environment(house).items():
        monkeypatch.setenv(name, value)

    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return house.clock.now

    monkeypatch.setattr(desk, "datetime", Noon)

    def run(*words, by="jane"):
        signed = ("--by", by) if words[0] == "announce" else ()
        capfd.readouterr()
        status = desk_sms.main([*words, *signed])
        told = capfd.readouterr()
        errors = [line for line in told.err.splitlines(keepends=True) if line[0] != "{"]
        return status, told.out + "".join(errors)

    return run


@pytest.fixture
def people(house):
    """Six people; every other reads Swahili."""
    numbers = [f"+25471100010{n}" for n in range(6)]
    for n, number in enumerate(numbers):
        house.register(number, name="Person", language="sw" if n % 2 else "en")
    return numbers


@pytest.fixture
def programs(house, wanjiru, otieno):
    return Programs(house, otieno)
