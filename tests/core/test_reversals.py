"""Reversals: asked for by one, decided by another, mirrored once, and never below zero."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from verifier_of import audited

from core import chart, closing, debts, ledger, reconciliation, reversals, subscribers
from core.audit import Actor
from core.decisions import AlreadyDecided, AlreadyRequested, NoReason, OwnRequest
from core.ledger import Draft, Reason
from core.money import Currency, kes
from core.reversals import UnknownReversal, UnknownTransfer

HERS = "+254712000001"


class Desk:
    """What customers ask, and what staff decide."""

    def __init__(self, house) -> None:
        self.house = house

    def sent(self, amount="500"):
        """She sends him money; the transfer's reference."""
        self.house.phone(HERS).dial().types("1", "0733000002", amount, "4071")
        return self.house.bank.rows("SELECT reference FROM orders ORDER BY id")[-1][0]

    def request(self, reference, *, by=HERS, reason="The wrong Otieno", of=HERS):
        subscriber = self.house.bank.one("SELECT id FROM subscribers WHERE msisdn = :m", m=of)
        with self.house.databases["web"].begin() as session:
            return reversals.request(
                session,
                subscriber=subscriber,
                reference=reference,
                actor=Actor(by, "desk", "r1"),
                reason=reason,
                now=self.house.clock(),
            )

    def decide(self, decision, reversal, *, by="jane", note="He agrees"):
        with self.house.databases["worker"].begin() as session:
            decision(
                session,
                reversal=reversal,
                actor=Actor(by, "desk", "r2"),
                note=note,
                now=self.house.clock(),
            )

    def owed(self):
        owner = self.house.bank.one("SELECT id FROM subscribers WHERE name = 'Otieno'")
        with self.house.databases["worker"]() as session:
            path = chart.OWED.named(Currency.KES, owner=owner)
            return ledger.balance(session, path=path)

    def owing(self, otieno):
        """He has spent KES 102.00 of what goes back, and owes it."""
        reversal = self.request(self.sent())
        otieno.phone.dial().types("1", "0711000003", "100", "4071")
        self.decide(reversals.approve, reversal)
        assert self.owed() == kes(-102_00)

    def spend(self, minor, *, key):
        """He pays somebody, past orders."""
        found = "SELECT account_id FROM subscribers WHERE name = '{}'"
        him, her = (self.house.bank.one(found.format(name)) for name in ("Otieno", "Amina"))
        with self.house.databases["worker"].begin() as session:
            draft = Draft(key, Reason.TRANSFER, {him: -minor, her: minor})
            [posting] = ledger.post(session, drafts=[draft], now=self.house.clock())
            return posting.outcome

    def collect(self, *, note="He has it"):
        owner = self.house.bank.one("SELECT id FROM subscribers WHERE name = 'Otieno'")
        with self.house.databases["worker"].begin() as session:
            actor = Actor("jane", "desk", "r3")
            return debts.collect(
                session, subscriber=owner, actor=actor, note=note, now=self.house.clock()
            )


@pytest.fixture
def desk(house, wanjiru, otieno):
    return Desk(house)


def test_approved_the_mirror_is_posted_linked_and_told(desk, wanjiru, otieno):
    reversal = desk.request(desk.sent())
    desk.decide(reversals.approve, reversal)
    assert (wanjiru.balance, otieno.balance) == (kes(1250_00), kes(0))
    [(state, debt, key)] = desk.house.bank.rows(
        "SELECT r.state, r.debt, j.key FROM reversals r JOIN journals j ON j.id = r.journal_id"
    )
    assert (state, debt, key) == ("approved", 0, f"reversal:{reversal}")
    hers = [each["message"] for each in desk.house.messages(HERS)]
    his = [each["message"] for each in desk.house.messages("+254733000002")]
    assert any("KES 500.00 you sent to Otieno came back to you" in each for each in hers)
    assert any("from Wanjiru was sent in error and went back" in each for each in his)


def seals_told(desk, msisdn, words):
    told = [each["message"] for each in desk.house.messages(msisdn)]
    [sms] = [each for each in told if words in each]
    return re.findall(r" Seal ([0-9A-Z]{16})$", sms)


def test_its_receipts_bear_the_seal_of_the_mirror_which_says_what_it_mirrors(desk, wanjiru, otieno):
    desk.decide(reversals.approve, desk.request(desk.sent()))
    [hers] = seals_told(desk, HERS, "came back to you")
    [his] = seals_told(desk, "+254733000002", "went back")
    assert hers == his
    while desk.house.sealer.once():
        pass
    proof = desk.house.client.get(f"/log/proof/{hers}").data.decode()
    leaf = base64.b64decode(proof.split("\n")[1].removeprefix("extra ")).decode().split("|")
    original = desk.house.bank.one("SELECT original_id FROM reversals")
    assert (leaf[2], leaf[5]) == ("reversal", str(original))
    assert audited(desk.house).returncode == 0


def test_where_there_is_a_debt_only_its_debtor_can_fetch_what_they_had_left(
    desk, wanjiru, otieno, amina
):
    reversal = desk.request(desk.sent())
    otieno.phone.dial().types("1", "0711000003", "100", "4071")
    desk.decide(reversals.approve, reversal)
    assert seals_told(desk, HERS, "came back to you") == []
    assert len(seals_told(desk, "+254733000002", "went back")) == 1


def test_what_was_spent_becomes_a_debt_and_nobody_goes_below_zero(desk, wanjiru, otieno, amina):
    reversal = desk.request(desk.sent())
    otieno.phone.dial().types("1", "0711000003", "100", "4071")
    desk.decide(reversals.approve, reversal)
    assert (wanjiru.balance, otieno.balance, amina.balance) == (kes(1250_00), kes(0), kes(1350_00))
    assert desk.owed() == kes(-102_00)
    assert desk.house.bank.one("SELECT debt FROM reversals") == 102_00


def test_declined_nothing_moves_and_it_may_be_asked_for_again(desk, wanjiru, otieno):
    reference = desk.sent()
    reversal = desk.request(reference)
    with pytest.raises(AlreadyRequested):
        desk.request(reference)
    desk.decide(reversals.decline, reversal, note="He says it was his")
    assert otieno.balance == kes(500_00)
    hers = [each["message"] for each in desk.house.messages(HERS)]
    assert any("could not be brought back" in each for each in hers)
    assert desk.request(reference) != reversal


def test_nobody_decides_about_their_own_request(desk, otieno):
    reversal = desk.request(desk.sent(), by="jane")
    for decision in (reversals.approve, reversals.decline):
        with pytest.raises(OwnRequest):
            desk.decide(decision, reversal, by="jane")
    with pytest.raises(DBAPIError, match="four_eyes"):
        desk.house.bank.run("UPDATE reversals SET decided_by = 'jane', state = 'approved'")
    desk.decide(reversals.approve, reversal, by="john")
    assert otieno.balance == kes(0)


def test_decided_once_however_many_decide(desk, wanjiru, otieno):
    reversal = desk.request(desk.sent())

    def decide(number):
        try:
            decision = reversals.approve if number % 2 else reversals.decline
            desk.decide(decision, reversal, by=f"staff {number}")
        except AlreadyDecided:
            return 0
        return 1

    with ThreadPoolExecutor(8) as hands:
        assert sum(hands.map(decide, range(40))) == 1
    assert wanjiru.balance + otieno.balance in (kes(1250_00), kes(1245_00))


def test_only_what_they_sent_can_be_asked_back(desk):
    reference = desk.sent()
    for of, asked in (("+254733000002", reference), (HERS, "T000000000"), (HERS, "")):
        with pytest.raises(UnknownTransfer):
            desk.request(asked, of=of)
    assert desk.request(f" {reference.lower()} ")


@pytest.mark.parametrize("words", ["", "  ", "x" * 501])
def test_words_are_needed(desk, words):
    reference = desk.sent()
    with pytest.raises(NoReason):
        desk.request(reference, reason=words)
    reversal = desk.request(reference)
    with pytest.raises(NoReason):
        desk.decide(reversals.approve, reversal, note=words)
    with pytest.raises(UnknownReversal):
        desk.decide(reversals.approve, reversal + 1)


def test_a_decision_is_final_for_everybody(desk):
    reversal = desk.request(desk.sent())
    desk.decide(reversals.decline, reversal)
    with pytest.raises(DBAPIError, match="that is final"):
        desk.house.bank.run("UPDATE reversals SET state = 'approved', note = 'x'")


def other_journal(desk):
    """A request that names a small transfer to staff, and a large one's journal to the book."""
    small, large = desk.sent("100"), desk.sent("500")
    return {
        "order": desk.house.bank.one("SELECT id FROM orders WHERE reference = :r", r=small),
        "journal": desk.house.bank.one("SELECT id FROM journals WHERE reference = :r", r=large),
        "now": desk.house.clock(),
    }


MIXED = (
    "INSERT INTO reversals (original_id, order_id, requested_by, reason, requested_at)"
    " VALUES (:journal, :order, 'web', 'The wrong Otieno', :now)"
)


def test_the_web_cannot_ask_for_another_journal_than_staff_are_shown(desk, otieno):
    mixed = other_journal(desk)
    with (
        pytest.raises(DBAPIError, match="is not that of transfer or payment"),
        desk.house.databases["web"].begin() as session,
    ):
        session.execute(text(MIXED), mixed)


def test_another_journal_than_staff_are_shown_is_not_mirrored_and_is_found(desk, wanjiru, otieno):
    mixed = other_journal(desk)
    before = wanjiru.balance
    with desk.house.bank.owner.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(MIXED), mixed)
    with pytest.raises(UnknownTransfer):
        desk.decide(reversals.approve, 1)
    assert (wanjiru.balance, otieno.balance) == (before, kes(600_00))
    found = reconciliation.whole(desk.house.databases["worker"], clock=desk.house.clock)
    assert [(each.kind.value, each.subject) for each in found.opened] == [
        ("reversal-differs", "reversal:1")
    ]
    desk.decide(reversals.decline, 1)


def test_a_debt_is_paid_from_what_comes_in_and_no_further(desk, otieno, amina):
    desk.owing(otieno)
    assert desk.collect() == []
    amina.phone.dial().types("1", "0733000002", "60", "4071")
    assert [(each.amount, each.owed) for each in desk.collect()] == [(kes(60_00), kes(42_00))]
    assert (desk.owed(), otieno.balance) == (kes(-42_00), kes(0))
    amina.phone.dial().types("1", "0733000002", "50", "4071")
    assert [(each.amount, each.owed) for each in desk.collect()] == [(kes(42_00), kes(0))]
    assert (desk.owed(), otieno.balance) == (kes(0), kes(8_00))
    assert desk.collect() == []
    his = [each["message"] for each in desk.house.messages("+254733000002")]
    assert any("KES 60.00 that you owed us was taken" in each for each in his)
    [last] = [each for each in his if "You still owe KES 0.00. Balance KES 8.00." in each]
    assert re.search(r" Seal [0-9A-Z]{16}$", last)
    signed = desk.house.bank.rows(
        "SELECT actor, detail ->> 'amount' FROM audit_log WHERE action = 'debt-collected'"
        " ORDER BY id"
    )
    assert signed == [("jane", "6000"), ("jane", "4200")]
    looked = reconciliation.whole(desk.house.databases["worker"], clock=desk.house.clock)
    assert looked.opened == []


def test_who_has_paid_their_debt_may_leave(desk, wanjiru, otieno, amina):
    desk.owing(otieno)

    def leave():
        desk.house.relay._swept_at = 0.0
        desk.house.send_messages()  # whoever is screened may close
        with desk.house.databases["web"].begin() as session:
            person = subscribers.recipient(session, msisdn=otieno.phone.msisdn)
            closing.close(
                session, person=person, actor=Actor("him", "ussd", "r4"), now=desk.house.clock()
            )

    with pytest.raises(closing.MoneyOwed):
        leave()
    amina.phone.dial().types("1", "0733000002", "102", "4071")
    desk.collect()
    leave()
    assert desk.house.bank.one("SELECT closed_at FROM subscribers WHERE name = 'Otieno'")


def test_a_debt_is_collected_once_however_many_collect_while_it_is_spent(desk, otieno, amina):
    desk.owing(otieno)
    amina.phone.dial().types("1", "0733000002", "90", "4071")

    def act(number):
        return desk.collect() if number % 4 else [desk.spend(30_00, key=f"spent {number}")]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(16)))
    spent = desk.house.bank.one("SELECT count(*) FROM journals WHERE key LIKE 'spent %'") * 30_00
    desk.collect()
    assert desk.owed() == kes(-102_00 + 90_00 - spent)
    assert otieno.balance == kes(0)
    repaid = (
        "SELECT coalesce(sum(e.amount), 0) FROM entries e JOIN journals j ON j.id = e.journal_id"
    )
    assert (
        desk.house.bank.one(f"{repaid} WHERE j.reason = 'repayment' AND e.amount > 0")
        == 90_00 - spent
    )
