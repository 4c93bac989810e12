"""The bodies of Safaricom's documentation, read; and others that are no worse than they come."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import golden_daraja as golden
import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.money import kes
from workers.daraja import codes, values, wire
from workers.daraja.client import password
from workers.daraja.codes import Fate
from workers.daraja.wire import Misread


class TestPrompts:
    def test_one_that_was_paid(self):
        told = wire.prompted(golden.STK_PAID)
        assert told.checkout == "ws_CO_191220191020363925"
        assert (told.code, told.amount, told.receipt) == ("0", kes(100), "NLJ7RT61SV")
        assert told.payer == "+254708374149"

    def test_items_are_found_by_their_names(self):
        """Safaricom's own SDK counts them, and breaks where one without a value stands between."""
        assert wire.prompted(golden.STK_WITH_BALANCE) == wire.prompted(golden.STK_PAID)

    def test_one_that_was_cancelled(self):
        told = wire.prompted(golden.STK_CANCELLED)
        assert (told.code, told.amount, told.receipt, told.payer) == ("1032", None, None, None)

    @pytest.mark.parametrize("written", [b"1", b"1.0", b"1.00", b'"1.00"'])
    def test_an_amount_is_what_it_is_however_it_is_written(self, written):
        told = wire.prompted(golden.STK_PAID.replace(b"1.00", written))
        assert told.amount == kes(100)

    @pytest.mark.parametrize("written", [b"1.001", b"true", b'"one"', b"1e400", b'"NaN"', b"[1]"])
    def test_what_is_no_amount_is_none(self, written):
        assert wire.prompted(golden.STK_PAID.replace(b"1.00", written)).amount is None

    @pytest.mark.parametrize(
        "written", [b"1E999999999999999999", b"1E400000000", b"-1E400000000", b"1E-400000000"]
    )
    def test_nobody_writes_out_a_number_that_is_nothing_but_noughts(self, written):
        """A few bytes would be gigabytes."""
        began = time.process_time()
        assert wire.prompted(golden.STK_PAID.replace(b"1.00", written)).amount is None
        with pytest.raises(Misread):
            wire.prompted(golden.STK_CANCELLED.replace(b"1032", written))
        assert time.process_time() - began < 1


class TestPayments:
    def test_one_that_was_confirmed(self):
        told = wire.payment(golden.C2B)
        assert (told.receipt, told.amount) == ("RKL51ZDR4F", kes(500))
        assert (told.shortcode, told.account) == ("600966", "Sample Transaction")
        assert told.at == datetime(2023, 11, 21, 9, 13, 25, tzinfo=UTC)
        assert (told.payer, told.payer_word) == (None, "2547 ***** 126")
        assert told.name == "NICHOLAS"

    def test_a_whole_number_is_a_number(self):
        whole = golden.C2B.replace(b"2547 ***** 126", b"254708374149")
        assert wire.payment(whole).payer == "+254708374149"

    def test_an_account_may_come_as_a_number_or_not_at_all(self):
        number = golden.C2B.replace(b'"Sample Transaction"', b"712000001")
        assert wire.payment(number).account == "712000001"
        nothing = golden.C2B.replace(b'"Sample Transaction"', b"null")
        assert wire.payment(nothing).account == ""


class TestResults:
    def test_a_payout(self):
        told = wire.result(golden.B2C_PAID)
        assert (told.code, told.transaction) == ("0", "SG632NMUAB")
        assert values.amount(told.get("TransactionAmount")) == kes(10_00)
        assert told.get("B2CUtilityAccountAvailableFunds") == Decimal("8959269.60")
        at = values.instant(told.get("TransactionCompletedDateTime"))
        assert at == datetime(2024, 7, 6, 19, 48, 52, tzinfo=UTC)

    def test_a_payout_that_failed_has_a_transaction_all_the_same(self):
        told = wire.result(golden.B2C_FAILED)
        assert (told.code, told.transaction, told.pairs) == ("2001", "SG722NMVXQ", [])

    def test_one_key_may_come_twice(self):
        told = wire.result(golden.STATUS)
        assert told.every("DebitPartyName") == ["600310 - Safaricom333", "254708374149 - John Doe"]
        assert told.get("TransactionReason") is None

    @pytest.mark.parametrize("body", [golden.STATUS, golden.STATUS_WITH_SPACES])
    def test_the_fate_of_a_payment_is_not_the_code_of_the_question(self, body):
        told = wire.result(body)
        assert told.code == "0"
        assert codes.fate(told.get("TransactionStatus")) is Fate.COMPLETED
        assert told.get("ReceiptNo") == "MBN31H462N"

    @pytest.mark.parametrize("word", ["Cancelled", "Declined", "Expired"])
    def test_what_failed_is_told_with_a_code_of_success(self, word):
        told = wire.result(golden.STATUS.replace(b"Completed", word.encode()))
        assert (told.code, codes.fate(told.get("TransactionStatus"))) == ("0", Fate.FAILED)

    @pytest.mark.parametrize("word", ["Initiated", "Authorized", "Pending Authorized"])
    def test_what_has_not_ended(self, word):
        assert codes.fate(word) is Fate.PENDING

    @pytest.mark.parametrize("word", ["", "Complete", None, 0, ["Completed"]])
    def test_a_fate_that_we_do_not_know_is_none(self, word):
        assert codes.fate(word) is None

    def test_codes_come_as_text_too(self):
        told = wire.result(golden.BALANCE)
        assert told.code == "0"
        assert wire.balances(told.get("AccountBalance")) == {
            "Working Account": kes(700_000_00),
            "Float Account": kes(0),
            "Utility Account": kes(228_037_00),
            "Charges Paid Account": kes(-1_540_00),
            "Organization Settlement Account": kes(0),
        }

    def test_a_reversal(self):
        assert wire.result(golden.REVERSED).get("OriginalTransactionID") == "SKC82PACB8"
        assert wire.result(golden.NOT_REVERSED).code == "R000002"

    def test_a_single_parameter_may_stand_bare(self):
        told = wire.result(golden.BARE_PARAMETER)
        assert told.pairs == [("BOCompletedTime", 20200120164825)]


class TestAnswers:
    def test_acknowledgements(self):
        assert wire.acknowledged(golden.STK_ACCEPTED).checkout == "ws_CO_1007202409152617172396192"
        assert wire.acknowledged(golden.B2C_ACCEPTED).conversation.startswith("AG_20240706")
        assert wire.acknowledged(golden.QUERY_PAID).result == "0"

    def test_refusals(self):
        assert wire.acknowledged(golden.DUPLICATE).code == "500.002.1001"
        assert wire.acknowledged(golden.INVALID_FIELD).why.endswith("Invalid BusinessShortCode")

    @pytest.mark.parametrize("body", [golden.TOKEN, golden.TOKEN_AS_TEXT])
    def test_a_token_lasts_as_long_however_that_is_written(self, body):
        assert wire.granted(body).seconds == 3599

    def test_the_password_of_a_prompt_is_the_documented_one(self):
        passkey = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
        assert password("174379", passkey, "20210628092408") == (
            "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5"
            "YjEwZjc4ZTZiNzJhZGExZWQyYzkxOTIwMjEwNjI4MDkyNDA4"
        )


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)
READERS = (wire.prompted, wire.result, wire.payment, wire.acknowledged, wire.granted)


@pytest.mark.parametrize("read", READERS)
@given(body=some.binary() | JSON.map(lambda each: repr(each).encode()))
def test_whatever_comes_is_read_or_misread(read, body):
    with suppress(Misread):
        read(body)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "body", [b"", b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5_000, b"\xff\xfe", b"null", b"NaN"]
)
def test_nothing_breaks_the_reader(read, body):
    with pytest.raises(Misread):
        read(body)
