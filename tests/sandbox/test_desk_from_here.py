"""The desk from the sandbox: handed over to the product, or told what is wrong."""

from __future__ import annotations

import getpass
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest

from core import staff_logins
from core.access.principals import NotAuthenticated
from core.at_rest import Chest
from core.audit import Actor
from core.pins import Hasher
from core.staff_logins import Shown
from sandbox import desk
from sandbox.__main__ import main
from sandbox.environment import everything
from workers import desk_staff

PASSWORD = "correct horse battery"
COMMANDS = ("cases", "factors", "report", "reversals", "sanctions", "staff", "tier", "till")
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def secret_in(said):
    """The secret an authenticator takes in, as it was shown twice: as letters and as an address."""
    secret, address = said.split("this once:")[1].split()
    assert pyotp.parse_uri(address).secret == secret
    return secret


def enters(house, password, secret):
    """Log in with what a web of the sandbox would know."""
    code = pyotp.TOTP(secret).now()
    with house.databases["web"].begin() as session:
        return staff_logins.log_in(
            session,
            shown=Shown("Kamau Njoroge", password, code),
            hasher=Hasher("sandbox-pin-pepper"),
            chest=Chest("sandbox-at-rest-key"),
            actor=Actor("nobody yet", "api", "x"),
            now=datetime.now(UTC),
        )


REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_with_nothing_running_it_says_what_to_do(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main([command, "list", "--by", "jane"]) == desk.NOT_RUNNING
    assert "start it with ./run" in capsys.readouterr().err


def test_a_list_is_found_from_where_one_stands(house, monkeypatch, tmp_path):
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", house.database_url)
    monkeypatch.setenv("REDIS_URL", house.redis_url)
    monkeypatch.setenv("KABAMBE_CALLED_FROM", str(tmp_path))
    (tmp_path / "un.csv").write_text("id,name\n1,Somebody Bad\n")
    assert desk.sanctions(["load", "un.csv", "--source", "un", "--by", "jane"]) == 0
    assert house.bank.one("SELECT name FROM sanctions") == "Somebody Bad"


def test_help_knows_them(capsys):
    assert main(["help"]) == 0
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert f"./run {command} " in said


class TestStaff:
    """Who works here, by the command as it is typed: the password on its standard input."""

    @pytest.fixture
    def sits(self, house, tmp_path):
        home = tmp_path / "home"
        home.mkdir()
        (home / "venv").symlink_to(sys.prefix)
        environment = everything() | {
            "KABAMBE_HOME": str(home),
            "DATABASE_URL": house.database_url,
            "REDIS_URL": house.redis_url,
        }

        def sits(*words, typed=""):
            done = subprocess.run(
                [REPOSITORY / "run", "staff", *words],
                env=environment,
                input=typed,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            return done.returncode, done.stdout + done.stderr

        return sits

    def test_from_the_first_day_to_the_last(self, house, sits):
        status, said = sits("add", " Kamau  Njoroge", "--by", "Amina", typed=f"{PASSWORD}\n")
        assert (status, said.splitlines()[0].partition(".")[0]) == (0, "kamau njoroge may log in")
        first = secret_in(said)
        assert PASSWORD not in said
        enters(house, PASSWORD, first)
        status, said = sits("list")
        assert (status, len(said.splitlines())) == (0, 1)
        assert re.fullmatch(rf"kamau njoroge  since {DAY}\n", said)

        status, said = sits("reset", "kamau njoroge", "--by", "amina", typed=f"{PASSWORD}!\n")
        assert status == 0, said
        with pytest.raises(NotAuthenticated):
            enters(house, PASSWORD, first)
        enters(house, f"{PASSWORD}!", second := secret_in(said))

        told = "kamau njoroge works here no longer, and is logged in nowhere.\n"
        assert sits("end", "Kamau Njoroge", "--by", "amina") == (0, told)
        with pytest.raises(NotAuthenticated):
            enters(house, f"{PASSWORD}!", second)
        assert house.bank.one("SELECT count(*) FROM staff_log_ins WHERE revoked_at IS NULL") == 0
        assert re.fullmatch(rf"kamau njoroge  since {DAY}, until {DAY}\n", sits("list")[1])
        lines = house.bank.rows(
            "SELECT actor, action, origin FROM audit_log WHERE subject = 'staff:1'"
            " AND actor LIKE '%amina' ORDER BY id"
        )
        assert lines == [
            ("staff:amina", f"staff-{what}", "desk") for what in ("added", "reset", "ended")
        ]

    def test_what_will_not_do_is_said_and_nothing_is_done(self, house, sits):
        short = "A password has at least 12 letters.\n"
        assert sits("add", "kamau", "--by", "amina", typed="too short\n") == (1, short)
        assert sits("add", "kamau", "--by", "amina") == (1, short)
        for what in ("reset", "end"):
            said = sits(what, "kamau", "--by", "amina", typed=f"{PASSWORD}\n")
            assert said == (1, "Nobody of that name works here.\n")
        assert sits("add", "kamau")[0] == 2
        assert sits("list") == (0, "Nobody ever worked here.\n")
        assert house.bank.one("SELECT count(*) FROM staff") == 0

    def test_nobody_is_asked_who_they_are_to_read_the_list(self, sits, monkeypatch):
        """In a container there may be a user without a name."""

        def nameless():
            raise KeyError("getpwuid(): uid not found")

        monkeypatch.setattr(getpass, "getuser", nameless)
        given = desk_staff._parser().parse_args(["staff", "list"])
        assert given.do is desk_staff._list
