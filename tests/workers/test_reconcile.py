"""A provider's statement against our rows, the periodic job, and the command for staff."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from processes import ROOT, environment
from sqlalchemy import text

from core import breaks, providers
from core.providers import Line, TooManyLines
from core.statements import Period
from workers import reconcile
from workers import reconciliation as jobs
from workers.bills import Bill, Description, Misread
from workers.queues import Name

DESCRIPTION = ROOT / "deploy/statements/africastalking.toml"
HOUR = timedelta(hours=1)


def line(reference, at, amount="0.80", currency="KES"):
    return Line(reference, Decimal(amount), currency, at, "Sent")


class TestCompare:
    """One reference in every way that two sides can disagree."""

    def kinds(self, at, theirs, ours):
        period = Period(at - 5 * HOUR, at + 5 * HOUR)
        found, looked_at = providers.compare(
            period, name="p", late_after=HOUR, theirs=theirs, ours=ours
        )
        return [(each.kind.value, each.subject) for each in found], looked_at

    def test_finds_each_kind_and_nothing_else(self, house):
        at = house.clock()
        right = [line(f"right{n}", at) for n in range(20)]
        theirs = [
            *right,
            line("only-theirs", at),
            line("doubled", at),
            line("doubled", at),
            line("dear", at, "0.90"),
            line("euro", at, currency="EUR"),
            line("late", at + 2 * HOUR),
            line("all-wrong", at + 2 * HOUR, "9", "EUR"),
        ]
        ours = [
            *right,
            line("only-ours", at),
            line("doubled", at),
            line("dear", at),
            line("euro", at),
            line("late", at),
            line("all-wrong", at),
        ]
        assert self.kinds(at, theirs, ours)[0] == [
            ("late", "p:all-wrong"),
            ("wrong-currency", "p:all-wrong"),
            ("wrong-amount", "p:dear"),
            ("doubled", "p:doubled"),
            ("wrong-currency", "p:euro"),
            ("late", "p:late"),
            ("missing-there", "p:only-ours"),
            ("missing-here", "p:only-theirs"),
        ]

    def test_amounts_are_compared_by_value(self, house):
        at = house.clock()
        assert self.kinds(at, [line("a", at, "0.8000")], [line("a", at, "0.8")])[0] == []

    def test_a_price_that_was_not_told_us_is_no_other_currency(self, house):
        at = house.clock()
        assert self.kinds(at, [line("a", at)], [line("a", at, "0", "")])[0] == [
            ("wrong-amount", "p:a")
        ]

    def test_the_ends_of_a_period_raise_no_alarm(self, house):
        at = house.clock()
        begin, end = at - 5 * HOUR, at + 5 * HOUR
        second = timedelta(seconds=1)
        theirs = [line("before", begin - second), line("first", begin), line("after", end)]
        ours = [
            line("first", begin - second),  # ours of theirs is found outside
            line("ours-in-the-next", end - second),  # its half may be in the next statement
            line("ours-in-the-last", begin + second),
            line("ours-elsewhere", end + second),
        ]
        found, looked_at = self.kinds(at, theirs, ours)
        assert found == []
        assert looked_at == {"first"}

    def test_a_statement_has_a_length(self, house, monkeypatch):
        monkeypatch.setattr(providers, "LINES_MAX", 3)
        at = house.clock()
        with pytest.raises(TooManyLines, match="shorter period"):
            self.kinds(at, [line(str(n), at) for n in range(4)], [])


class Portal:
    """What the aggregator's portal exports, of what its fake really took."""

    def __init__(self, house, path: Path) -> None:
        self.house, self.path = house, path
        found = house.bank.rows(
            "SELECT m.provider_id, m.cost, o.staged_at FROM messages m"
            " JOIN outbox o ON o.id = m.outbox_id ORDER BY m.id"
        )
        self.rows = [
            [row.provider_id, row.cost, self.told(row.staged_at), "Success"] for row in found
        ]

    @staticmethod
    def told(at):
        return (at + 3 * HOUR).strftime("%Y-%m-%d %H:%M:%S")  # Nairobi's, without saying so

    def export(self):
        with self.path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(["Message ID", "Cost", "Date", "Status"])
            writer.writerows(self.rows)
        return Bill(self.path, Description.read(DESCRIPTION))

    def reconcile(self):
        at = self.house.clock()
        period = Period(at - 9 * HOUR, at + 9 * HOUR)
        return reconcile.bill(self.house.databases["worker"], self.export(), period)


@pytest.fixture
def portal(house, wanjiru, otieno, tmp_path):
    for amount in ("100", "50"):
        wanjiru.phone.dial().types("1", "0733000002", amount, "4071")
    house.send_messages()
    made = Portal(house, tmp_path / "messages.csv")
    assert len(made.rows) == 4
    assert all(row[0] for row in made.rows)
    return made


def opened(summary):
    return [(each.kind.value, each.expected, each.found) for each in summary.opened]


class TestTheBillForSms:
    def test_of_what_was_sent_raises_no_alarm(self, portal):
        summary = portal.reconcile()
        assert (summary.looked_at, opened(summary)) == (4, [])

    def test_is_compared_line_by_line_and_breaks_close_by_themselves(self, portal, house):
        cost = portal.rows[0][1]
        right = [list(row) for row in portal.rows]
        portal.rows[0][1] = "KES 9.0000"
        portal.rows[1][1] = "UGX 25"
        portal.rows[2][2] = portal.told(house.clock() + 2 * HOUR)
        portal.rows[3] = ["ATXid_unheard_of", "KES 0.8000", portal.told(house.clock()), "Success"]
        kinds = [each[0] for each in opened(portal.reconcile())]
        assert sorted(kinds) == [
            "late",
            "missing-here",
            "missing-there",
            "wrong-amount",
            "wrong-currency",
        ]
        assert ("wrong-amount", cost.replace("0.8000", "0.8000"), "KES 9.0000") in [
            (each.kind, each.expected, each.found) for each in self.open(house)
        ]
        assert opened(portal.reconcile()) == []
        portal.rows = [*right, portal.rows[3]]
        again = portal.reconcile()
        assert (opened(again), again.closed) == ([], 4)
        assert [each.kind for each in self.open(house)] == ["missing-here"]

    def test_a_line_told_twice_is_doubled(self, portal):
        portal.rows.append(portal.rows[0])
        assert opened(portal.reconcile()) == [("doubled", "1 of ours", "2 of theirs")]

    def open(self, house):
        with house.databases["web"]() as session:
            return breaks.opened(session)


class TestDescriptions:
    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            ('provider = "africastalking"', "", "provider: Field required"),
            ('ours = "messages"', 'ours = "all"', "must be one of"),
            ("reach_days = 3", "reach_days = -3", "reach_days"),
            ("[columns]", "[column]", "columns: Field required"),
            ('kind = "Status"', "kind = ", "Invalid value"),
            ('kind = "Status"', 'king = "Status"', "columns.king"),
        ],
    )
    def test_says_what_is_wrong(self, tmp_path, old, new, why):
        told = tmp_path / "told.toml"
        told.write_text(DESCRIPTION.read_text().replace(old, new))
        with pytest.raises(Misread, match=why):
            Description.read(told)

    def test_says_that_there_is_none(self, tmp_path):
        with pytest.raises(Misread, match="No such file"):
            Description.read(tmp_path / "none.toml")


class TestFiles:
    def read(self, tmp_path, words, **change):
        path = tmp_path / "bill.csv"
        path.write_bytes(words.encode())
        told = Description.read(DESCRIPTION).model_copy(update=change)
        return list(Bill(path, told)._lines())

    def test_reads_amounts_as_portals_write_them(self, tmp_path):
        head = "Message ID,Cost,Date,Status\n"
        rows = 'a,KES 0.8000,2026-11-21 09:30:00,x\nb,"1,250.50",2026-11-21 09:30:00,x\n'
        one, two = self.read(tmp_path, head + rows)
        assert (one.amount, one.currency) == (Decimal("0.8"), "KES")
        assert (two.amount, two.currency) == (Decimal("1250.50"), "KES")
        assert one.at.isoformat() == "2026-11-21T09:30:00+03:00"

    def test_passes_over_kinds_that_do_not_count(self, tmp_path):
        words = "Message ID,Cost,Date,Status\na,0,2026-11-21 09:30:00,Failed\n"
        assert self.read(tmp_path, words, include=["Success"]) == []

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            ("", "no column is called Cost, Date, Message ID, Status"),
            ("Message ID,Cost,Date\n", "no column is called Status"),
            ("Message ID,Cost,Date,Status\na,much,2026-11-21 09:30:00,x\n", "line 2: 'much'"),
            ("Message ID,Cost,Date,Status\na,1,yesterday,x\n", "line 2: time data"),
            ("Message ID,Cost,Date,Status\n,1,2026-11-21 09:30:00,x\n", "line 2: it has no ref"),
            ('Message ID,Cost,Date,Status\n"a,1', "unexpected end of data"),
            ("Message ID,Cost,Date,Status\n" + "a" * 600 + ",1,x,y\n", "too long"),
        ],
    )
    def test_says_where_it_is_wrong(self, tmp_path, words, why):
        with pytest.raises(Misread, match=why):
            self.read(tmp_path, words)

    def test_says_that_it_is_empty(self, tmp_path):
        path = tmp_path / "bill.csv"
        path.write_text("Message ID,Cost,Date,Status\n")
        with pytest.raises(Misread, match="no lines"):
            Bill(path, Description.read(DESCRIPTION)).period()


def test_the_periodic_job_is_rung_for_and_works(house, wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
    house.relay._reconciled_at = -1000.0
    house.relay.once()
    house.work(Name.SMS)
    [(what, looked_at, found)] = house.bank.rows(
        "SELECT what, looked_at, opened FROM reconciliations"
    )
    assert (what, found) == ("newest", 0)
    assert looked_at >= 2
    jobs.run()
    assert house.bank.one("SELECT count(*) FROM reconciliations") == 2


class TestTheCommand:
    def run(self, house, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "workers.reconcile", *arguments],
            cwd=ROOT,
            env=environment(house),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_tells_what_is_open_and_closes_what_is_explained(self, house, wanjiru):
        ran = self.run(house)
        assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "No break is open.")
        with house.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text("UPDATE accounts SET version = 9 WHERE path LIKE 'user%'"))
        ran = self.run(house)
        assert ran.returncode == 1
        assert "breaks: 1 new, 0 closed" in ran.stdout
        assert "Open: 1 numbering." in ran.stdout
        assert '"event":"reconciliation.break_found"' in ran.stderr
        assert self.run(house, "--list").returncode == 1
        assert "--by NAME and --note" in self.run(house, "--close", "1").stderr
        told = self.run(house, "--close", "7", "--by", "jane", "--note", "x")
        assert (told.returncode, told.stderr) == (
            2,
            "Break 7 was not closed: There is no such break.\n",
        )
        assert self.run(house, "--close", "1", "--by", "jane", "--note", "a test").returncode == 0
        assert house.bank.one("SELECT closed_by FROM breaks") == "staff:jane"

    def test_compares_a_statement(self, house, portal):
        portal.export()
        told = ["--statement", str(portal.path), "--described-by", str(DESCRIPTION)]
        ran = self.run(house, *told)
        assert (ran.returncode, ran.stdout.splitlines()[0]) == (
            0,
            "africastalking: looked at 4; breaks: 0 new, 0 closed",
        )
        assert self.run(house, *told, "--from", "2026-11-21").returncode == 2
        portal.path.write_text("a,b\n")
        ran = self.run(house, *told)
        assert (ran.returncode, "no column is called" in ran.stderr) == (2, True)
        assert self.run(house, *told[:2]).returncode == 2
