"""Every seeded break is found by the whole run, and nothing else is."""

from __future__ import annotations

import re

import pytest
from rail_seeds import OF_RAILS, RAIL_SEEDS
from seeds import JOURNAL_OF, PICKS, SEEDS
from sqlalchemy import text
from tampered import NEWEST, Saved, found, run, tamper
from traffic import Traffic

from core import orders
from core.breaks import OF_PROVIDERS, Kind
from core.ledger import Reason


@pytest.fixture(scope="module")
def kept(built):
    """A book of every kind of movement, made once."""
    built.reset()
    traffic = Traffic.open(built)
    traffic.give_dollars()
    traffic.steps(250, seed=7)
    traffic.leave_a_refusal()
    traffic.leave_a_debt()
    traffic.leave_a_refund()
    traffic.leave_vouchers()
    traffic.leave_a_hold_for_its_owner()
    yield traffic
    built.reset()


@pytest.fixture
def book(kept, built):
    """The book, as it was again after the test."""
    yield kept
    with built.bank.owner.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("TRUNCATE breaks, reconciliations RESTART IDENTITY"))


def test_a_book_of_every_kind_raises_no_alarm(book, built):
    kinds = {row[0] for row in built.bank.rows("SELECT DISTINCT reason FROM journals")}
    assert kinds == set(Reason) - OF_RAILS
    done = built.bank.rows("SELECT DISTINCT kind FROM orders WHERE state = 'done'")
    assert {row[0] for row in done} == set(orders.Kind) - {orders.Kind.WITHDRAWAL}  # a rail's
    assert built.bank.one("SELECT count(*) FROM reversals WHERE debt > 0") > 0
    assert run(built).opened == []
    assert run(built, NEWEST).opened == []
    assert built.bank.one("SELECT count(*) FROM breaks") == 0


def test_every_kind_of_break_is_seeded():
    expected = [told for _, each in [*SEEDS.values(), *RAIL_SEEDS] for told in each]
    seeded = {re.sub(r"^SELECT '", "", told).split(" ")[0] for told in expected}
    assert seeded == set(Kind) - OF_PROVIDERS


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_tampered_with_is_found_and_nothing_else_is(book, built, seed):
    statements, expected = SEEDS[seed]
    names = {}
    for name, query in PICKS.items():
        names[name] = built.bank.one(query.format(**names))
    for each in ("journals", "accounts"):
        names[f"{each}_next"] = names[each] + 1
    missing = [name for name, value in names.items() if value is None]
    assert not missing
    wanted = set()
    for each in expected:
        told = each.format(**names)
        rows = built.bank.rows(told) if told.startswith("SELECT") else [(told,)]
        assert rows
        wanted |= {tuple(row[0].split(" ")) for row in rows}
    with Saved(built):
        tamper(built, *[each.format(**names) for each in statements])
        assert found(run(built)) == wanted
        assert run(built, NEWEST).opened == []  # and it is opened once
    assert run(built).closed == len(wanted)
    assert run(built, NEWEST).opened == []


def test_what_came_since_is_found_by_the_next_short_run(book, built):
    assert run(built, NEWEST).opened == []
    assert run(built, NEWEST).opened == []
    with Saved(built):
        book.steps(30, seed=8)
        order = built.bank.one(
            "SELECT max(id) FROM orders WHERE state = 'done' AND kind = 'transfer'"
        )
        journal = built.bank.one(JOURNAL_OF.format(order))
        account, version = built.bank.rows(
            f"SELECT account_id, version FROM entries WHERE journal_id = {journal} AND amount < 0"
        )[0]
        tamper(
            built,
            f"UPDATE entries SET amount = amount - 1 WHERE account_id = {account}"
            f" AND version = {version}",
        )
        looked = run(built, NEWEST)
        assert looked.looked_at < 150
        assert found(looked) == {
            ("running", f"account:{account}"),
            ("balance", f"account:{account}"),
            ("journal-unbalanced", f"journal:{journal}"),
            ("order-differs", f"order:{order}"),
        }
        assert found(run(built, NEWEST)) == set()


def test_a_short_run_looks_at_a_part_and_says_that_it_is_behind(book, built):
    looked = NEWEST(built.databases["worker"], clock=built.clock, most=40)
    assert looked.is_behind
    runs = 1
    while looked.is_behind:
        looked = NEWEST(built.databases["worker"], clock=built.clock, most=40)
        runs += 1
    most = built.bank.one("SELECT max(id) FROM journals")
    assert most // 40 <= runs <= most // 40 + 3  # only the first part is looked at twice
    settled = "SELECT journals_settled FROM reconciliations ORDER BY id DESC LIMIT 1"
    assert built.bank.one(settled) == most
