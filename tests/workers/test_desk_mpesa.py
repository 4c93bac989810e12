"""The desk of M-Pesa, against the sandbox's Safaricom: what staff see, ask and decide."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests
from processes import environment
from safaricom import DOOR, until

from core import chart
from core.money import kes
from sandbox.daraja.contract import Contract
from workers import desk_mpesa

WHY = ("--by", "jane", "--why", "I have looked")
PNG = b"\x89PNG\r\n"


@pytest.fixture
def rail(house, rail):
    house.safaricom.phone("+254712000001", balance="20000.00")
    return rail


@pytest.fixture
def sit(house, monkeypatch, capsys, tmp_path):
    """Give the desk a command; what it prints, and how it ends. The worker is there meanwhile."""
    certificate, agreed, line = tmp_path / "daraja.pem", Contract(), house.safaricom.line
    told = requests.get(house.safaricom.control("certificate"), timeout=5).content
    certificate.write_bytes(told)
    words = {
        "CONSUMER_KEY": agreed.key,
        "CONSUMER_SECRET": agreed.secret,
        "PASSKEY": agreed.passkey,
        "SHORTCODE": agreed.shortcode,
        "PAYOUT_SHORTCODE": agreed.payer,
        "INITIATOR": agreed.initiator,
        "INITIATOR_PASSWORD": agreed.password,
        "CERTIFICATE": str(certificate),
        "DOOR_TOKEN": DOOR,
        "CALLBACK_URL": line.client.account.callbacks.partition("/callbacks")[0],
        "URL": house.safaricom.url,
    }
    for name, value in environment(house).items():
        monkeypatch.setenv(name, value)
    for name, value in words.items():
        monkeypatch.setenv(f"KABAMBE_MPESA__{name}", value)
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.05):
            house.safaricom.work(house)

    worker = threading.Thread(target=work)
    worker.start()

    def sit(*words):
        status = desk_mpesa.main(["mpesa", *map(str, words)])
        told = capsys.readouterr()
        return status, told.out + told.err

    yield sit
    done.set()
    worker.join()


def paid_for_nobody(house, rail):
    """KES 300 to an account that nobody has, so that it is a case of suspense; its receipt."""
    house.clock.now = datetime.now(UTC)  # the desk's is, and the statement's
    house.safaricom.register()
    house.safaricom.terms(validation=False)
    pay = {"from": "0712000001", "account": "nobody", "amount": "300"}
    answer = requests.post(f"{house.safaricom.url}/pay", json=pay, timeout=5)
    answer.raise_for_status()
    until(lambda: len(rail.cases()) == 1)
    return answer.json()["receipt"]


def test_the_float_is_asked_for_shown_and_moved(rail, sit):
    assert sit("float", "show")[1].startswith("utility: Safaricom has not said yet.")
    status, said = sit("balance")
    assert status == 0
    assert said.startswith("utility: KES ")
    assert "as Safaricom said" in said.splitlines()[0]
    assert sit("float", "move", "bank", "utility", "1,000", "--key", "B1", *WHY)[0] == 0
    assert rail.balance(chart.MPESA_UTILITY) == -101_000_00


def test_what_nobody_knows_is_found_credited_or_sent_back(rail, house, sit, wanjiru):
    house.safaricom.register()
    assert sit("suspense", "list") == (0, "No case of suspense is open.\n")
    house.safaricom.terms(validation=False)
    for account in ("nobody", "nowhere"):
        pay = {"from": "0712000001", "account": account, "amount": "300"}
        requests.post(f"{house.safaricom.url}/pay", json=pay, timeout=5).raise_for_status()
    until(lambda: len(rail.cases()) == 2)
    assert "1  unknown-account" in sit("suspense", "list")[1]
    assert sit("suspense", "credit", 1, "+254712000001", *WHY)[0] == 0
    assert wanjiru.balance == kes(1_550_00)
    moved = house.safaricom.moving()
    status, said = sit("reverse", 2, *WHY)
    assert (status, "returned" in said) == (0, True)
    assert moved("reversal") == 300
    assert rail.balance(chart.MPESA_SUSPENSE) == 0
    assert sit("reverse", 2, *WHY)[0] == 1  # once is enough


def test_what_may_be_back_already_is_not_open_again(rail, house, sit):
    """The first asking was carried out, and its answer lost; the second was not taken."""
    paid_for_nobody(house, rail)
    house.safaricom.fault(on="reversal", preset="callback-lost")
    sit("reverse", 1, *WHY)
    house.clock.passes(minutes=16)
    until(lambda: house.bank.one("SELECT count(*) FROM inquiries WHERE state = 'lost'"))
    house.safaricom.fault(on="reversal", preset="spike")
    status, said = sit("reverse", 1, *WHY)
    assert (status, "stays on its way back" in said) == (1, True)
    assert sit("suspense", "credit", 1, "+254712000001", *WHY)[0] == 1
    assert sit("reverse", 1, *WHY)[0] == 0
    assert house.bank.one("SELECT outcome FROM suspense_cases") == "returned"


def test_staff_ask_whether_it_went_back_where_the_answer_was_lost(rail, house, sit):
    paid_for_nobody(house, rail)
    assert sit("returning", 1)[0] == 1  # nothing was asked for
    house.safaricom.fault(on="reversal", preset="callback-lost")
    sit("reverse", 1, *WHY)
    assert "No asking that Safaricom took is in doubt" in sit("returning", 1)[1]
    house.clock.passes(minutes=16)
    until(lambda: house.bank.one("SELECT count(*) FROM inquiries WHERE state = 'lost'"))
    moved = house.safaricom.moving()
    status, said = sit("returning", 1)
    assert (status, "returned by system" in said) == (0, True)
    assert (moved("reversal"), len(house.safaricom.requests("reversal"))) == (0, 1)
    assert rail.balance(chart.MPESA_SUSPENSE) == 0


def test_payouts_that_our_side_broke_wait_for_staff(rail, house, sit, wanjiru):
    house.safaricom.fault(on="b2c", outcome="8006")
    first = rail.withdraw(wanjiru, 100_00)
    until(lambda: rail.withdrawal_state(first) == "failed")
    assert "Payouts are stopped since" in sit("breaker", "show")[1]
    second = rail.withdraw(wanjiru, 200_00)
    for _time in range(3):
        house.safaricom.work(house)
    assert rail.withdrawal_state(second) == "requested"
    assert len(house.safaricom.requests("b2c")) == 1
    status, said = sit("balance")  # it would try the same password
    assert (status, "then `breaker close`" in said) == (1, True)
    assert not house.safaricom.requests("balance")
    assert sit("breaker", "close", *WHY) == (0, "Payouts go out.\n")
    until(lambda: rail.withdrawal_state(second) == "paid")
    assert sit("rows") == (0, "Nothing is under way.\n")


def test_one_payment_is_asked_about(rail, house, sit, wanjiru):
    house.safaricom.fault(on="b2c", preset="callback-lost")
    withdrawal = rail.withdraw(wanjiru, 100_00)
    until(lambda: rail.withdrawal_state(withdrawal) == "sent")
    reference = house.bank.one("SELECT reference FROM withdrawals")
    assert reference in sit("rows")[1]
    assert sit("status", reference)[0] == 0
    assert rail.withdrawal_state(withdrawal) == "paid"


def test_a_till_has_a_code_to_be_paid_by(rail, house, sit, wanjiru, tmp_path):
    till = rail.open_till(wanjiru)
    path = tmp_path / "till.png"
    assert sit("qr", till, "--to", path) == (0, f"{path}\n")
    assert path.read_bytes().startswith(PNG)


def test_a_statement_agrees_with_our_book_or_tells_where_not(rail, house, sit, wanjiru, tmp_path):
    house.safaricom.register("http://127.0.0.1:9")
    house.clock.now = datetime.now(UTC)  # the statement's is
    rail.expect(wanjiru, 500_00)
    house.clock.passes(seconds=3)
    until(lambda: rail.told(wanjiru) == ["deposit-settled"])
    path = tmp_path / "statement.csv"
    told = lines_of(house, house.bank.one("SELECT receipt FROM deposits"))
    path.write_text(told)
    assert sit("statement", path)[1] == (
        "Looked at 1 receipts; breaks: 0 new, 0 closed\nNo break is open.\n"
    )
    path.write_text(told.replace("500.00", "400.00"))
    assert "wrong-amount" in sit("statement", path)[1]
    path.write_text(told)
    assert "0 new, 1 closed\nNo break is open." in sit("statement", path)[1]


def lines_of(house, receipt):
    """Safaricom's statement, with no line but those of one receipt: its book outlives a test."""
    told = requests.get(house.safaricom.control("statement"), timeout=5).text.splitlines()
    assert told[0].startswith("Organization Statement")
    return "\n".join(each for each in told if "Receipt No." in each or receipt in each)


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_was_sent_back_agrees_with_the_statement(rail, house, sit, tmp_path, is_answered):
    """The statement has the payment, and the reversal under a receipt of its own."""
    receipt = paid_for_nobody(house, rail)
    if not is_answered:
        house.safaricom.fault(on="reversal", preset="callback-lost")
    sit("reverse", 1, *WHY)
    until(lambda: house.safaricom.totals()["reversal"]["amount"])
    path = tmp_path / "statement.csv"
    path.write_text(lines_of(house, receipt))
    assert len(path.read_text().splitlines()) == 3
    if not is_answered:
        assert f"missing-here  mpesa:{receipt}:reversed" in sit("statement", path)[1]
        house.clock.passes(minutes=16)
        until(lambda: house.bank.one("SELECT count(*) FROM inquiries WHERE state = 'lost'"))
        assert sit("reverse", 1, *WHY)[0] == 0
    assert sit("statement", path)[1].endswith("No break is open.\n")
    path.write_text(path.read_text().replace("-300.00", "-200.00"))
    assert f"wrong-amount  mpesa:{receipt}:reversed" in sit("statement", path)[1]


@pytest.mark.parametrize(
    "words", ["", "Receipt No.,Details\n", "\x00", "Receipt No." * 3, '"unclosed\n' * 50]
)
def test_what_is_no_statement_is_said_to_be_none(rail, sit, tmp_path, words):
    path = tmp_path / "statement.csv"
    path.write_text(words)
    status, said = sit("statement", path)
    assert (status, str(path) in said) == (1, True)


@pytest.fixture(params=[("lost-ack-and-callback", "unsure"), ("callback-lost", "settled")])
def untold(request, rail, house, wanjiru):
    """A deposit whose receipt nobody told us of, whether or not we know that it was paid."""
    preset, state = request.param
    house.safaricom.register("http://127.0.0.1:9")
    house.clock.now = datetime.now(UTC)
    house.safaricom.fault(on="stk", preset=preset)
    deposit = rail.expect(wanjiru, 500_00)
    house.clock.passes(seconds=3)
    house.safaricom.work(house)
    house.clock.passes(minutes=3)
    house.safaricom.work(house)
    assert rail.deposit_state(deposit) == state
    assert house.bank.one("SELECT receipt FROM deposits") is None
    return deposit


def test_a_statement_tells_what_no_callback_did(rail, house, untold, sit, tmp_path):
    """It is believed as a callback is: Safaricom is asked, and says so, too."""
    told = requests.get(house.safaricom.control("statement"), timeout=5).text.splitlines()
    reference = house.bank.one("SELECT reference FROM deposits")
    path = tmp_path / "statement.csv"
    path.write_text("\n".join(each for each in told if "Receipt No." in each or reference in each))
    assert "1 payments that nobody told us of are asked about" in sit("statement", path)[1]
    until(lambda: house.bank.one("SELECT receipt FROM deposits") is not None)
    assert rail.deposit_state(untold) == "settled"
    assert house.bank.balance_of("+254712000001") == 1_750_00
    assert sit("statement", path)[1].endswith("No break is open.\n")


def test_a_statement_that_is_made_up_credits_nobody(rail, house, sit, wanjiru, tmp_path):
    path = tmp_path / "statement.csv"
    columns = "Receipt No.,Completion Time,Transaction Status,Paid In,Withdrawn,Reason Type,A/C No."
    line = "UKS0FORGED,28-11-2026 10:00:00,Completed,4000.00,,Pay Bill,0712000001"
    path.write_text(f"{columns}\n{line}\n")
    assert "1 payments that nobody told us of" in sit("statement", path)[1]
    house.clock.now = datetime.now(UTC) + timedelta(hours=1)
    until(lambda: ("refuted", "paybill:1", 4_000_00) in rail.cases())
    assert wanjiru.balance == kes(1_250_00)
    assert sit("suspense", "strike", 1, *WHY)[0] == 0
    assert rail.balance(chart.MPESA_SUSPENSE) == 0
