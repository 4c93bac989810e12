"""What Safaricom answers when it is asked: whose payment it was, and what is wrong with us."""

from __future__ import annotations

import hashlib
import json
from itertools import count, product

import golden_daraja as golden
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from core import chart, inbox, inquiries, rails
from core.inbox import Kind
from core.money import kes
from core.rails import Provider
from workers.mpesa import floats, letters, payments, questions, sweeping, withdrawals
from workers.mpesa.breaker import trip
from workers.resources import current

RECEIPT = "MBN31H462N"
THEIRS = b"254708374149 - John Doe"


@pytest.fixture
def answer(house):
    """Answer a question of ours, at its own address."""
    numbers = count(1)

    def answered(kind, subject, body):
        digest = hashlib.sha256(f"question {next(numbers)}".encode()).digest()
        with house.databases["owner"].begin() as session:
            inquiries.ask(session, kind=kind, subject=subject, token_hash=digest, now=house.clock())
            inbox.receive(
                session,
                provider="mpesa",
                kind=Kind.INQUIRY_RESULT,
                key=digest.hex(),
                body=body,
                token_hash=digest,
                now=house.clock(),
            )
        ids = house.bank.rows("SELECT id FROM inbox WHERE done_at IS NULL")
        letters.understand(ids=[row[0] for row in ids])
        assert house.bank.rows("SELECT tries FROM inbox WHERE done_at IS NULL OR tries > 0") == []

    return answered


@pytest.fixture
def ours(house):
    """The paybill that is paid, and the shortcode that pays out, as parties."""
    account = house.safaricom.line.client.account
    return [f"{code} - KABAMBE".encode() for code in (account.shortcode, account.payout_shortcode)]


def completed(
    debit: bytes, credit: bytes, *, is_doubled: bool = False, account: bytes | None = None
) -> bytes:
    """An answer that says that KES 6,000 went from one to the other."""
    account = account or (b"MMF Account For Customer" if debit == THEIRS else b"Utility Account")
    key = b"DebitPartyName" if is_doubled else b"CreditPartyName"
    parties = b'"Key": "DebitPartyName", "Value": "%s" }, { "Key": "%s", "Value": "%s"'
    before, _, rest = golden.STATUS.partition(b'"Key": "DebitPartyName"')
    after = rest.partition(THEIRS + b'"')[2]
    told = before + parties % (debit, key, credit) + after
    return told.replace(b'"300"', b'"6000.00"').replace(b"Utility Account", account)


def shuffled(body: bytes) -> bytes:
    """The same parameters, the last one first."""
    told = json.loads(body)
    told["Result"]["ResultParameters"]["ResultParameter"].reverse()
    return json.dumps(told).encode()


@pytest.fixture(params=product([False, True], [bytes, shuffled]))
def said(request):
    """What is said of one who paid another, as one way of saying it has it."""
    is_doubled, order = request.param
    return lambda debit, credit: order(completed(debit, credit, is_doubled=is_doubled))


class TestPayments:
    def test_one_to_us_is_credited(self, rail, otieno, answer, ours, said):
        rail.pay(RECEIPT, "0733000002", 6_000_00, confirmed=False)
        answer(inquiries.Kind.STATUS, f"paybill:{RECEIPT}", said(THEIRS, ours[0]))
        assert otieno.balance == kes(6_000_00)

    @pytest.mark.parametrize("payer", [0, 1])  # one shortcode may be paid and pay out
    def test_one_that_we_paid_out_is_not(self, rail, answer, ours, said, payer):
        """Whoever takes money out knows a receipt that is completed, and of how much."""
        rail.pay(RECEIPT, "0733000002", 6_000_00, confirmed=False)
        answer(inquiries.Kind.STATUS, f"paybill:{RECEIPT}", said(ours[payer], THEIRS))
        assert rail.balance(chart.MPESA_SUSPENSE) == 6_000_00
        assert rail.cases() == [("refuted", "paybill:1", 6_000_00)]
        assert rail.payment_state(RECEIPT) == "suspended"

    def test_nor_one_of_which_it_is_not_told_to_whom(self, rail, otieno, answer):
        rail.pay(RECEIPT, "0733000002", 6_000_00, confirmed=False)
        body = completed(THEIRS, b"KABAMBE")
        answer(inquiries.Kind.STATUS, f"paybill:{RECEIPT}", body)
        assert rail.payment_state(RECEIPT) == "unconfirmed"
        assert otieno.balance == kes(0)

    @pytest.mark.parametrize("account", [b"", b"MMF Account", b"Account For Somebody"])
    def test_nor_one_where_both_are_called_debited_and_nothing_says_who_was(
        self, rail, answer, ours, account
    ):
        rail.pay(RECEIPT, "0733000002", 6_000_00, confirmed=False)
        body = completed(THEIRS, ours[0], is_doubled=True, account=account or b" ")
        answer(inquiries.Kind.STATUS, f"paybill:{RECEIPT}", body)
        assert rail.payment_state(RECEIPT) == "unconfirmed"
        assert rail.balance(chart.MPESA_SUSPENSE) == 6_000_00

    def test_one_that_nobody_told_us_of_is_an_answer_too(self, house, rail, answer, ours):
        answer(inquiries.Kind.STATUS, f"paybill:{RECEIPT}", completed(THEIRS, ours[0]))
        assert house.bank.rows("SELECT state FROM inquiries") == [("answered",)]

    def test_one_that_gets_no_answer_is_asked_about_less_and_less(self, house, rail, otieno):
        house.safaricom.terms(result_after=3600)
        rail.pay(RECEIPT, "0733000002", 6_000_00, confirmed=False)
        asked = []
        for minutes in (0, 1, 1, 2, 2, 0):
            house.clock.passes(minutes=minutes)
            payments.confirm()
            asked.append(len(house.safaricom.requests("status")))
        assert asked == [1, 1, 2, 2, 3, 3]

    def test_staff_look_at_it_after_a_day(self, house, rail, otieno):
        rail.pay(RECEIPT, "0733000002", 6_000_00, confirmed=False)
        with house.databases["owner"].begin() as session:
            session.execute(text("UPDATE paybill_payments SET asks = 10"))
        payments.confirm()
        sweeping.sweep()
        sweeping.sweep()
        assert house.safaricom.requests("status") == []
        assert rail.cases() == [("undecided", "paybill:1", 6_000_00)]


@pytest.mark.parametrize("code", ["18", "20", "22", "2001", "8006"])
def test_what_is_wrong_with_our_initiator_stops_payouts(house, rail, answer, code):
    body = golden.B2C_FAILED.replace(b"2001", code.encode())
    answer(inquiries.Kind.BALANCE, "float:600992", body)
    with house.databases["worker"]() as session:
        found = rails.breaker(session, provider=Provider.MPESA, now=house.clock())
    assert found is not None
    assert (found.code, found.until) == (code, None)


class TestWhileOurInitiatorIsBroken:
    """Every question carries its password: each would try the wrong one again."""

    def stop(self, house, *codes):
        for code in codes:
            with house.databases["worker"].begin() as session:
                trip(session, code=code, why="it says so", now=house.clock(), lasts=None)

    def ask_all(self, house):
        floats.look()
        payments.confirm()
        withdrawals.resolve()
        return questions.balance(current(), house.safaricom.line, of_payouts=True)

    def asked(self, house) -> int:
        apis = ("status", "balance", "reversal")
        return sum(len(house.safaricom.requests(api)) for api in apis)

    @pytest.fixture(autouse=True)
    def doubts(self, house, rail, wanjiru):
        """A payment and a payout that are to be asked about."""
        rail.pay(RECEIPT, "0733000002", 6_000_00, confirmed=False)
        house.safaricom.fault(on="b2c", preset="callback-lost")
        rail.withdraw(wanjiru, 100_00)
        withdrawals.pay()
        house.clock.passes(minutes=3)

    @pytest.mark.parametrize("code", ["18", "20", "21", "22", "2001", "8006"])
    def test_nothing_is_asked_in_its_name(self, house, code):
        self.stop(house, code)
        assert not self.ask_all(house)
        assert self.asked(house) == 0
        assert house.bank.one("SELECT count(*) FROM inquiries") == 0
        assert house.bank.one("SELECT asks FROM withdrawals") == 0
        assert house.bank.one("SELECT asks FROM paybill_payments") == 0

    def test_nor_where_something_else_had_stopped_payouts_before(self, house):
        self.stop(house, "1", "2001", "2028")
        self.ask_all(house)
        assert self.asked(house) == 0
        assert house.bank.rows("SELECT code FROM breakers WHERE closed_at IS NULL") == [("2001",)]

    def test_what_is_no_fault_of_its_stops_no_question(self, house):
        self.stop(house, "1")
        assert self.ask_all(house)
        assert self.asked(house) == 5


class TestReversals:
    @pytest.fixture
    def case(self, rail):
        rail.pay(RECEIPT, "nobody", 500_00)
        rail.decide("begin_return")
        return 1

    def said(self, code):
        return golden.B2C_FAILED.replace(b"2001", code.encode())

    def test_a_refusal_while_another_is_on_its_way_opens_no_case(self, house, rail, answer, case):
        rail.ask_back(case)
        answer(inquiries.Kind.REVERSAL, f"reversal:{case}", self.said("11"))
        assert house.bank.one("SELECT state FROM suspense_cases") == "returning"

    def test_a_refusal_of_the_only_one_does(self, house, rail, answer, case):
        answer(inquiries.Kind.REVERSAL, f"reversal:{case}", self.said("11"))
        assert house.bank.one("SELECT state FROM suspense_cases") == "open"
        assert house.bank.rows("SELECT state FROM inquiries") == [("failed",)]

    def test_what_went_back_although_it_was_given_away_is_an_error(
        self, rail, otieno, answer, case
    ):
        rail.return_failed(case)
        rail.decide("credit", case=case, person=rail.person(otieno))
        with capture_logs() as said:
            answer(inquiries.Kind.REVERSAL, f"reversal:{case}", self.said("0"))
        levels = [line["log_level"] for line in said if line["event"].startswith("mpesa.reversed")]
        assert levels == ["error"]


class TestReversalsWhoseAnswerWasLost:
    """Safaricom took what it was asked for, said nothing more, and is asked about that."""

    REF = "dad6-4c34-8787-c8cb963a496d1268232"

    @pytest.fixture
    def lost(self, house, rail):
        """Ask for a payment to be sent back, and hear nothing; the asking."""
        rail.pay(RECEIPT, "nobody", 500_00)
        rail.decide("begin_return")
        return self.ask(house, rail, self.REF)

    def ask(self, house, rail, ref):
        inquiry = rail.ask_back(1)
        with house.databases["worker"].begin() as session:
            inquiries.asked(session, inquiry=inquiry, provider_ref=ref)
        house.bank.run("UPDATE inquiries SET state = 'lost' WHERE id = :id", id=inquiry)
        return inquiry

    def said(self, status, ref=REF):
        told = golden.STATUS.replace(b'"Completed"', f'"{status}"'.encode())
        return told.replace(b"3211-416020-3", ref.encode())

    def about(self, answer, lost, body):
        answer(inquiries.Kind.STATUS, f"reversal:1:{lost}", body)

    def state(self, house):
        [(state, outcome)] = house.bank.rows("SELECT state, outcome FROM suspense_cases")
        return outcome or state

    def test_declined_it_is_for_staff_to_decide_again(self, house, rail, otieno, answer, lost):
        self.about(answer, lost, self.said("Declined"))
        assert self.state(house) == "open"
        rail.decide("credit", case=1, person=rail.person(otieno))
        assert otieno.balance == kes(500_00)

    def test_completed_the_case_is_closed(self, house, rail, answer, lost):
        self.about(answer, lost, self.said("Completed"))
        assert self.state(house) == "returned"
        assert rail.balance(chart.MPESA_SUSPENSE) == 0

    @pytest.mark.parametrize("status", ["Initiated", "Authorized", "Pending Authorized", "Held"])
    def test_what_may_yet_be_done_opens_nothing(self, house, answer, lost, status):
        self.about(answer, lost, self.said(status))
        assert self.state(house) == "returning"

    def test_nor_does_that_nobody_knows_it(self, house, answer, lost):
        self.about(answer, lost, golden.B2C_FAILED.replace(b"2001", b'"SFC_IC0003"'))
        assert self.state(house) == "returning"

    @pytest.mark.parametrize("status", ["Completed", "Declined"])
    def test_nor_what_is_said_of_another(self, house, answer, lost, status):
        self.about(answer, lost, self.said(status, ref="3211-416020-3"))
        assert self.state(house) == "returning"

    def test_each_asking_must_have_been_declined(self, house, rail, answer, lost):
        other = self.ask(house, rail, "another-ref")
        self.about(answer, lost, self.said("Declined"))
        assert self.state(house) == "returning"
        self.about(answer, other, self.said("Declined", ref="another-ref"))
        assert self.state(house) == "open"

    def test_one_that_was_never_taken_may_still_be_done(self, house, rail, answer, lost):
        rail.ask_back(1)
        self.about(answer, lost, self.said("Declined"))
        assert self.state(house) == "returning"

    def test_its_own_answer_counts_however_late(self, house, answer, lost):
        self.about(answer, lost, self.said("Declined"))
        key, body = "late", golden.B2C_FAILED.replace(b"2001", b"0")
        with house.databases["owner"].begin() as session:
            digest = session.scalar(text("SELECT token_hash FROM inquiries ORDER BY id LIMIT 1"))
            inbox.receive(
                session, provider="mpesa", kind=Kind.INQUIRY_RESULT, key=key, body=body,
                token_hash=bytes(digest), now=house.clock(),
            )  # fmt: skip
        ids = house.bank.rows("SELECT id FROM inbox WHERE done_at IS NULL")
        letters.understand(ids=[row[0] for row in ids])
        assert self.state(house) == "returned"
