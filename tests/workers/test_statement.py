"""`./run statement`: what staff get, in which form, and that it is kept who took it."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from processes import ROOT, environment

HERS = "+254712000001"


@pytest.fixture
def statement(house, wanjiru, otieno):
    for amount in ("100", "250.50"):
        wanjiru.phone.dial().types("1", "0733000002", amount, "4071")

    def run(*arguments, of="0712000001"):
        days = ("--from", "2026-11-01", "--to", "2026-12-01")
        return subprocess.run(
            [sys.executable, "-m", "workers.statement", "--of", of, *days, *arguments],
            cwd=ROOT,
            env=environment(house),
            capture_output=True,
            timeout=60,
            check=False,
        )

    return run


def test_csv_adds_up_to_the_balance(statement, house):
    ran = statement("--format", "csv")
    assert ran.returncode == 0, ran.stderr
    rows = list(csv.DictReader(io.StringIO(ran.stdout.decode(), newline="")))
    moved = sum(Decimal(row["amount"]) - Decimal(row["fee"]) for row in rows[1:-1])
    assert Decimal(rows[0]["balance"]) + moved == Decimal(rows[-1]["balance"])
    assert Decimal(rows[-1]["balance"]) * 100 == house.bank.balance_of(HERS)
    assert [row["details"] for row in rows[1:-1]] == ["Opening gift", "Sent to", "Sent to"]


def test_by_wallet_number_in_the_persons_own_language(statement, house, amina):
    number = house.bank.one("SELECT wallet_number FROM subscribers WHERE name = 'Amina'")
    told = statement(of=f"{number[:3]} {number[3:]}").stdout.decode()
    assert "Salio la mwisho" in told
    assert "Closing balance" in statement("--language", "en", of=number).stdout.decode()


def test_pdf_goes_to_standard_output(statement):
    ran = statement("--format", "pdf")
    assert (ran.returncode, ran.stdout[:5]) == (0, b"%PDF-")
    assert ran.stdout.rstrip().endswith(b"%%EOF")


def test_it_is_kept_who_took_it(statement, house):
    statement("--format", "csv")
    [(actor, origin, subject, detail)] = house.bank.rows(
        "SELECT actor, origin, subject, detail FROM audit_log WHERE action = 'statement-taken'"
    )
    assert re.fullmatch(r"staff:\w+", actor)
    assert (origin, subject) == ("statement", "subscriber:1")
    assert (detail["from"], detail["format"]) == ("2026-11-01T00:00:00+03:00", "csv")


@pytest.mark.parametrize(
    ("arguments", "of", "why"),
    [
        ((), "0799000000", "The recipient has no account."),
        ((), "3840000000000", "That is not a wallet number"),
        ((), "hello", "That is not a phone number."),
        (("--currency", "BTC"), "0712000001", "There is no such account."),
        (("--to", "2026-10-01"), "0712000001", "A period ends after it begins."),
        (("--from", "yesterday"), "0712000001", "invalid fromisoformat value"),
    ],
)
def test_says_why_there_is_none(statement, house, arguments, of, why):
    ran = statement(*arguments, of=of)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert why in ran.stderr.decode()
    taken = "SELECT count(*) FROM audit_log WHERE action = 'statement-taken'"
    assert house.bank.one(taken) == 0


def test_from_the_command_line_of_the_house(house, wanjiru, tmp_path):
    told = {"KABAMBE_CALLED_FROM": str(tmp_path), "KABAMBE_HOME": str(tmp_path)}

    def ran(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "sandbox", *arguments],
            cwd=ROOT,
            env=environment(house) | told,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    statement = ran("statement", "--of", "0712000001", "--from", "2026-11-01", "--to", "2026-12-01")
    assert "1,250.00" in statement.stdout
    assert ran("reconcile").stdout.endswith("No break is open.\n")
    (tmp_path / "bill.csv").write_text("a,b\n")
    description = str(ROOT / "deploy/statements/africastalking.toml")
    bill = ran("reconcile", "--statement", "bill.csv", "--described-by", description)
    assert (bill.returncode, "no column is called" in bill.stderr) == (2, True)
