"""Reconciliation while money moves, and what becomes of the breaks it finds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tampered import NEWEST, WHOLE, found, run, tamper
from test_model import STEPS, Machine, play
from traffic import Traffic

from core import breaks, chart, ledger
from core.audit import Actor
from core.breaks import BreakClosed, UnknownBreak
from core.decisions import NoReason
from core.ledger import Draft, Reason
from core.money import Currency

JANE = Actor("staff:jane", "desk", "r1")


def test_a_journal_that_commits_late_is_not_passed_over(house, wanjiru, otieno):
    """Its number was given before a later one's, which was looked at in between."""
    ids = [
        house.bank.one("SELECT account_id FROM subscribers WHERE name = :n", n=name)
        for name in ("Wanjiru", "Otieno")
    ]
    with house.databases["worker"].begin() as session:
        fees = chart.TRANSFER_FEES.open(session, currency=Currency.KES)  # locked by nobody

    def post(session, key, account):
        draft = Draft(key, Reason.OPENING, {fees: -5, account: 5})
        [posting] = ledger.post(session, drafts=[draft], now=house.clock())
        assert posting.is_posted

    late = house.databases["worker"]()
    post(late, "late", ids[0])
    with house.databases["worker"].begin() as session:
        post(session, "early", ids[1])
    for _ in range(3):
        run(house, NEWEST)
    before = house.bank.one("SELECT max(journals_settled) FROM reconciliations")
    late.commit()
    late.close()
    journal = house.bank.one("SELECT id FROM journals WHERE key = 'late'")
    assert before < journal
    tamper(house, f"UPDATE entries SET amount = 6 WHERE journal_id = {journal} AND amount = 5")
    assert ("journal-unbalanced", f"journal:{journal}") in found(run(house, NEWEST))
    for _ in range(2):
        run(house, NEWEST)
    settled = house.bank.one("SELECT max(journals_settled) FROM reconciliations")
    assert settled >= journal
    house.bank.empty()


def test_runs_raise_no_alarm_while_money_moves(house):
    traffic = Traffic.open(house)
    stop = threading.Event()

    def move(seed):
        done = 0
        while not stop.is_set():
            traffic.steps(5, seed=seed * 1_000_000 + done)
            done += 5
        return done

    with ThreadPoolExecutor(4) as hands:
        moving = [hands.submit(move, seed) for seed in range(1, 4)]
        try:
            for _ in range(6):
                for how in (NEWEST, WHOLE):
                    assert run(house, how).opened == []
        finally:
            stop.set()
        assert sum(each.result() for each in moving) > 60
    assert run(house).opened == []


class Reconciled(Machine):
    """The book that the model finds right, looked at once more at its end."""

    def teardown(self) -> None:
        journals = {each[0] for each in self.house.bank.rows("SELECT id FROM journals")}
        # Nobody ordered any of it, on accounts of its own: that is all to be said against it.
        breaks = found(run(self.house))
        unexplained = {("journal-unexplained", f"journal:{journal}") for journal in journals}
        assert {each for each in breaks if each[0] != "account-differs"} == unexplained
        assert found(run(self.house, NEWEST)) == set()


def test_what_the_model_finds_right_raises_no_alarm(house):
    Machine.house = house
    play(Reconciled, settings=settings(STEPS, max_examples=8))
    house.reset()


class TestBreaks:
    def test_is_opened_once_seen_again_and_closed_when_gone(self, house, wanjiru):
        account = house.bank.one("SELECT account_id FROM subscribers")
        tamper(house, f"UPDATE accounts SET balance = balance + 5 WHERE id = {account}")
        began = house.clock()
        assert len(run(house).opened) == 2
        house.clock.passes(minutes=1)
        assert run(house, NEWEST).opened == []
        assert house.client.get("/ready").json["open_breaks"] == 2
        [one, _] = _open(house)
        assert (one.kind, one.expected, one.found) == (
            "balance",
            "the sum of its entries",
            "+5 KES minor",
        )
        assert (one.found_at, one.seen_at) == (began, house.clock())
        tamper(house, f"UPDATE accounts SET balance = balance - 5 WHERE id = {account}")
        assert run(house, NEWEST).closed == 2
        [row] = house.bank.rows(f"SELECT closed_at, closed_by FROM breaks WHERE id = {one.id}")
        assert tuple(row) == (house.clock(), "reconciliation")

    def test_stays_the_same_break_while_money_moves_on(self, house, wanjiru, otieno):
        account = house.bank.one("SELECT account_id FROM subscribers WHERE name = 'Wanjiru'")
        tamper(house, f"UPDATE accounts SET balance = balance + 5 WHERE id = {account}")
        assert len(run(house).opened) == 2
        self.close(house, 1)
        self.close(house, 2)
        # The next entry says its balance after the wrong one, so that it shows there, too.
        wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
        assert found(run(house)) == {("running", f"account:{account}")}
        tamper(
            house,
            f"UPDATE accounts SET balance = balance - 5 WHERE id = {account}",
            f"UPDATE entries SET balance_after = balance_after - 5 WHERE account_id = {account}"
            " AND version = 2",
        )
        assert found(run(house)) == {("outcome-differs", "order:1")}  # as the backup is older

    def close(self, house, id_, *, note="A test did it"):
        with house.databases["worker"].begin() as session:
            breaks.close(session, id_=id_, actor=JANE, note=note, now=house.clock())

    def test_what_a_person_explains_is_not_opened_again_but_another_is(self, house, wanjiru):
        account = house.bank.one("SELECT account_id FROM subscribers")
        tamper(house, f"UPDATE accounts SET balance = balance + 5 WHERE id = {account}")
        run(house)
        self.close(house, 1)
        assert run(house).opened == []
        [line] = house.bank.rows("SELECT actor, action, subject FROM audit_log WHERE id > 2")
        assert tuple(line) == ("staff:jane", "break-closed", "break:1")
        tamper(house, f"UPDATE accounts SET balance = balance + 1 WHERE id = {account}")
        assert [each.found for each in run(house).opened] == ["+6 KES minor"]
        tamper(house, f"UPDATE accounts SET balance = balance - 6 WHERE id = {account}")

    def test_refuses_to_be_closed_twice_without_a_note_or_where_there_is_none(self, house, wanjiru):
        tamper(house, "UPDATE accounts SET version = version + 1 WHERE path LIKE 'user%'")
        run(house)
        with pytest.raises(NoReason):
            self.close(house, 1, note="  ")
        with pytest.raises(UnknownBreak):
            self.close(house, 99)
        self.close(house, 1)
        with pytest.raises(BreakClosed):
            self.close(house, 1)
        tamper(house, "UPDATE accounts SET version = version - 1 WHERE path LIKE 'user%'")

    @pytest.mark.parametrize(
        ("role", "statement", "why"),
        [
            ("web", "INSERT INTO breaks DEFAULT VALUES", "permission denied"),
            ("web", "UPDATE breaks SET closed_at = now()", "permission denied"),
            ("worker", "UPDATE breaks SET found = 'nothing'", "permission denied"),
            ("worker", "DELETE FROM breaks", "permission denied"),
            ("worker", "TRUNCATE breaks", "permission denied"),
            ("worker", "UPDATE reconciliations SET opened = 0", "permission denied"),
            ("worker", "DELETE FROM reconciliations", "permission denied"),
            ("owner", "UPDATE breaks SET found = 'nothing'", "never changed"),
            ("owner", "UPDATE breaks SET closed_at = NULL, closed_by = NULL", "that is final"),
            ("owner", "DELETE FROM breaks", "append-only"),
            ("owner", "TRUNCATE breaks", "append-only"),
            ("owner", "UPDATE reconciliations SET opened = 0", "append-only"),
            ("owner", "TRUNCATE reconciliations", "append-only"),
        ],
    )
    def test_nobody_rewrites_what_was_found(self, house, wanjiru, role, statement, why):
        tamper(house, "UPDATE accounts SET version = version + 1 WHERE path LIKE 'user%'")
        run(house)
        if "final" in why:
            self.close(house, 1)
        with pytest.raises(DBAPIError, match=why), house.databases[role].begin() as session:
            session.execute(text(statement))
        tamper(house, "UPDATE accounts SET version = version - 1 WHERE path LIKE 'user%'")


def _open(house):
    with house.databases["web"]() as session:
        return breaks.opened(session)
