"""
What one may ask Safaricom and have undone: status, balance, reversal, B2B, QR, pull, statement.
"""

from __future__ import annotations

import base64
import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
import requests
from merchant import MSISDN, PAYER, SHORTCODE
from standin import until

STATUS = "/mpesa/transactionstatus/v1/query"


def ask(merchant, path, about, **more):
    """Ask what is answered by a result, and give what was heard."""
    body = merchant.asking(about, **more)
    answer = merchant.post(path, body)
    assert answer.status_code == 200, answer.text
    told = merchant.ears.one(about)
    assert told.result["ConversationID"] == answer.json()["ConversationID"]
    return told


def status(merchant, about="status", **more):
    usual = {"CommandID": "TransactionStatusQuery", "PartyA": PAYER, "IdentifierType": "4"}
    return ask(merchant, STATUS, about, **(usual | {"Occasion": "OK"} | more))


def reverse(merchant, receipt, amount="100", about="reversal", **more):
    usual = {
        "CommandID": "TransactionReversal",
        "TransactionID": receipt,
        "Amount": amount,
        "ReceiverParty": SHORTCODE,
        "RecieverIdentifierType": "11",
    }
    return ask(merchant, "/mpesa/reversal/v1/request", about, **(usual | more))


def balance(merchant, shortcode=PAYER):
    usual = {"CommandID": "AccountBalance", "PartyA": shortcode, "IdentifierType": "4"}
    told = ask(merchant, "/mpesa/accountbalance/v1/query", f"balance{shortcode}", **usual)
    accounts = told.parameters["AccountBalance"].split("&")
    return {each.split("|")[0]: each.split("|")[3] for each in accounts}


def paid(merchant, amount=100) -> str:
    checkout = merchant.pushed(amount=amount, path=f"paid{amount}")
    merchant.answer(checkout, pin="1234")
    return merchant.ears.one(f"paid{amount}").items["MpesaReceiptNumber"]


class TestStatus:
    def test_is_told_by_our_own_id_and_by_receipt(self, merchant):
        merchant.b2c("p_1", amount=300)
        receipt = merchant.settled("p_1")["receipt"]

        for about, named in (
            ("one", {"OriginalConversationID": "p_1"}),
            ("two", {"TransactionID": receipt}),
        ):
            told = status(merchant, about, **named)
            assert told.result["ResultCode"] == 0
            assert told.result["OriginatorConversationID"] != "p_1"
            parameters = told.parameters
            assert parameters["OriginatorConversationID"] == "p_1"
            assert parameters["ReceiptNo"] == receipt
            assert parameters["TransactionStatus"] == "Completed"
            assert parameters["Amount"] == "300"
            assert parameters["CreditPartyName"].startswith(MSISDN)
            assert parameters["DebitPartyCharges"] == "Fee For B2C Payment|KES|5.00"

    def test_of_a_declined_payout_is_a_good_answer_about_a_bad_end(self, merchant):
        merchant.b2c("p_1", amount=9)
        merchant.settled("p_1")

        told = status(merchant, OriginalConversationID="p_1")
        assert told.result["ResultCode"] == 0
        assert told.parameters["TransactionStatus"] == "Declined"

    def test_of_one_under_way_is_not_final(self, merchant):
        merchant.terms(result_after=5)
        merchant.b2c("p_1")
        merchant.terms(result_after=0.01)

        told = status(merchant, OriginalConversationID="p_1")
        assert told.parameters["TransactionStatus"] == "Initiated"

    def test_of_what_was_paid_to_us(self, merchant):
        receipt = paid(merchant)

        told = status(merchant, TransactionID=receipt, PartyA=SHORTCODE)
        assert told.parameters["DebitPartyName"].startswith(MSISDN)
        assert told.parameters["CreditPartyName"] == f"{SHORTCODE} - KABAMBE"
        assert told.parameters["TransactionStatus"] == "Completed"

    def test_of_nothing_is_a_code_that_can_be_told(self, merchant):
        told = status(merchant, "one", OriginalConversationID="p_none")
        assert told.result["ResultCode"] == "SFC_IC0003"
        assert "ResultParameters" not in told.result
        merchant.terms(not_found="2032", not_found_words="No such transaction.")
        told = status(merchant, "two", TransactionID="UKS0000000")
        assert told.result["ResultCode"] == 2032

    @pytest.mark.parametrize(
        "said", ["Cancelled", "Declined", "Expired", "Initiated", "Authorized"]
    )
    def test_may_be_scripted(self, merchant, said):
        merchant.b2c("p_1")
        merchant.settled("p_1")
        merchant.spoil(on="status", fate=said)
        merchant.spoil(on="status", fate="not-found")

        told = status(merchant, "one", OriginalConversationID="p_1")
        assert told.parameters["TransactionStatus"] == said
        told = status(merchant, "two", OriginalConversationID="p_1")
        assert told.result["ResultCode"] == "SFC_IC0003"
        assert status(merchant, "three", OriginalConversationID="p_1").result["ResultCode"] == 0

    def test_has_its_quirks(self, merchant):
        merchant.b2c("p_1")
        merchant.settled("p_1")
        merchant.terms(quirks={"spaced_keys": True, "doubled_debit_party": True})

        told = status(merchant, OriginalConversationID="p_1")
        keys = [each["Key"] for each in told.result["ResultParameters"]["ResultParameter"]]
        assert keys.count("Debit Party Name") == 2
        assert "Conversation ID" in keys

    def test_needs_the_right_credential_and_something_to_ask_about(self, merchant):
        told = status(
            merchant,
            OriginalConversationID="p_1",
            SecurityCredential=merchant.credential("wrong"),
        )
        assert told.result["ResultCode"] == 2001
        answer = merchant.post(
            STATUS,
            merchant.asking("x", CommandID="TransactionStatusQuery", PartyA=PAYER),
        )
        assert answer.json()["errorMessage"] == "Bad Request - Invalid TransactionID"


class TestBalance:
    def test_shows_every_account(self, merchant):
        merchant.b2c("p_1", amount=300)
        merchant.settled("p_1")

        assert balance(merchant) == {
            "Working Account": "0.00",
            "Float Account": "0.00",
            "Utility Account": "4999700.00",
            "Charges Paid Account": "-5.00",
            "Organization Settlement Account": "0.00",
        }

    def test_of_another_ones_shortcode_is_not_for_us(self, merchant):
        usual = {"CommandID": "AccountBalance", "PartyA": "600000", "IdentifierType": "4"}
        told = ask(merchant, "/mpesa/accountbalance/v1/query", "balance", **usual)
        assert told.result["ResultCode"] == "21"


class TestReversal:
    def test_gives_back_once(self, merchant):
        receipt = paid(merchant)

        told = reverse(merchant, receipt)
        assert told.result["ResultCode"] == 0
        assert told.parameters["OriginalTransactionID"] == receipt
        assert told.parameters["DebitAccountBalance"].startswith("Utility Account|KES|5000000.00")
        assert merchant.phone()["balance"] == "50000.00"
        again = reverse(merchant, receipt, about="again")
        assert again.result["ResultCode"] == "R000001"
        assert merchant.phone()["balance"] == "50000.00"

    def test_may_give_back_a_part(self, merchant):
        reverse(merchant, paid(merchant), "40")

        assert merchant.phone()["balance"] == "49940.00"

    def test_of_what_is_no_payment_to_us_is_invalid(self, merchant):
        merchant.b2c("p_1")
        receipts = {
            "payout": merchant.settled("p_1")["receipt"],
            "nothing": "UKS0000000",
            "more": paid(merchant),
        }
        for about, receipt in receipts.items():
            amount = "101" if about == "more" else "10"
            told = reverse(merchant, receipt, amount, about)
            assert told.result["ResultCode"] == "R000002", about
            assert told.result["TransactionID"].endswith("0000000")

    def test_needs_the_money(self, merchant):
        receipt = paid(merchant)
        merchant.control("PUT", f"accounts/{SHORTCODE}", {"Utility Account": "99.99"})

        assert reverse(merchant, receipt).result["ResultCode"] == 1


class TestTransfer:
    def send(self, merchant, command, amount, about, *, debit=SHORTCODE, credit=PAYER):
        return ask(
            merchant,
            "/mpesa/b2b/v1/paymentrequest",
            about,
            CommandID=command,
            SenderIdentifierType="4",
            RecieverIdentifierType="4",
            Amount=amount,
            PartyA=debit,
            PartyB=credit,
            AccountReference="float",
        )

    def test_fills_the_float_that_pays_out(self, merchant):
        told = self.send(merchant, "BusinessPayToBulk", "1000", "one")

        assert told.result["ResultCode"] == 0
        assert told.parameters["Amount"] == "1000.00"
        assert told.parameters["ReceiverPartyPublicName"] == f"{PAYER} - KABAMBE"
        assert merchant.utility(PAYER) == "5001000.00"
        assert merchant.utility() == "4999000.00"

    def test_moves_a_shortcodes_own_working_account(self, merchant):
        merchant.control("PUT", f"accounts/{PAYER}", {"Working Account": "700"})
        command = "BusinessTransferFromMMFToUtility"

        assert self.send(merchant, command, "701", "one", debit=PAYER).result["ResultCode"] == 1
        assert self.send(merchant, command, "700", "two", debit=PAYER).result["ResultCode"] == 0
        assert merchant.utility(PAYER) == "5000700.00"

    def test_to_nobody_fails(self, merchant):
        told = self.send(merchant, "BusinessPayToBulk", "1", "one", credit="600000")
        assert told.result["ResultCode"] == 2006


class TestAtOnce:
    @pytest.mark.parametrize("amount", [0, 1_500])
    def test_draws_a_code(self, merchant, amount):
        said = merchant.post(
            "/mpesa/qrcode/v1/generate",
            {
                "MerchantName": "Mama Mboga",
                "RefNo": "3840000",
                "Amount": amount,
                "TrxCode": "PB",
                "CPI": SHORTCODE,
                "Size": "300",
            },
        ).json()

        picture = base64.b64decode(said["QRCode"])
        assert picture.startswith(b"\x89PNG\r\n\x1a\n")
        width = int.from_bytes(picture[16:20], "big")
        assert 200 <= width <= 300
        assert said["ResponseCode"] == "00"

    @pytest.mark.parametrize(
        ("field", "value"), [("TrxCode", "XX"), ("Amount", "1.5"), ("CPI", ""), ("Size", "0")]
    )
    def test_draws_no_code_of_what_is_wrong(self, merchant, field, value):
        body = {
            "MerchantName": "Mama Mboga",
            "RefNo": "1",
            "Amount": 1,
            "TrxCode": "PB",
            "CPI": SHORTCODE,
            "Size": "300",
        }
        answer = merchant.post("/mpesa/qrcode/v1/generate", body | {field: value})

        assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"

    def test_lists_what_was_paid_in_a_period(self, merchant):
        receipts = [paid(merchant, amount) for amount in (100, 101)]
        now = datetime.now(UTC) + timedelta(hours=3)

        def pulled(start: timedelta, offset="0"):
            return merchant.post(
                "/pulltransactions/v1/query",
                {
                    "ShortCode": SHORTCODE,
                    "StartDate": f"{now + start:%Y-%m-%d %H:%M:%S}",
                    "EndDate": f"{now + timedelta(hours=1):%Y-%m-%d %H:%M}:000",
                    "OffSetValue": offset,
                },
            ).json()

        said = pulled(timedelta(hours=-1))
        assert [each["transactionId"] for each in said["Response"][0]] == receipts
        assert said["ResponseCode"] == "1000"
        assert len(pulled(timedelta(hours=-1), "1")["Response"][0]) == 1
        nothing = pulled(timedelta(minutes=30))
        assert (nothing["ResponseCode"], nothing["Response"]) == ("1001", [[]])

    def test_tells_when_a_sim_was_changed(self, merchant):
        def changed():
            said = merchant.post("/imsi/v2/checkATI", {"customerNumber": MSISDN}).json()
            return said["lastSwapDate"]

        assert changed() == "01-01-1900 00:00"
        merchant.phone(sim_changed="2026-11-20T10:30:00+03:00")
        assert changed() == "20-11-2026 10:30"


class TestStatement:
    def rows(self, merchant, **params):
        text = merchant.control("GET", "statement", **params).text
        lines = text.splitlines()
        first = next(place for place, line in enumerate(lines) if line.startswith("Receipt No."))
        return list(csv.DictReader(io.StringIO("\n".join(lines[first:])))), lines[:first]

    def test_lists_every_movement_of_an_account_newest_first(self, merchant):
        receipt = paid(merchant, 150)
        back = reverse(merchant, receipt, "150").result["TransactionID"]
        merchant.b2c("p_1", amount=300, PartyA=SHORTCODE)
        payout = merchant.settled("p_1")["receipt"]

        rows, heading = self.rows(merchant, shortcode=SHORTCODE)

        assert [each["Receipt No."] for each in rows] == [payout, back, receipt]
        assert [each["Paid In"] for each in rows] == ["", "", "150.00"]
        assert [each["Withdrawn"] for each in rows] == ["-300.00", "-150.00", ""]
        assert [each["Balance"] for each in rows] == ["4999700.00", "5000000.00", "5000150.00"]
        assert rows[1]["Linked Transaction ID"] == receipt
        assert rows[2]["A/C No."] == "D0001"
        assert rows[0]["Details"].endswith("Original conversation ID is p_1")
        assert rows[0]["Other Party Info"].startswith(f"{MSISDN} - ")
        assert {each["Transaction Status"] for each in rows} == {"Completed"}
        datetime.strptime(rows[0]["Completion Time"], "%d-%m-%Y %H:%M:%S")  # noqa: DTZ007
        assert "Opening Balance:,5000000.00,Closing Balance:,4999700.00" in heading

    def test_of_charges_and_of_a_period(self, merchant):
        merchant.b2c("p_1", amount=300)
        merchant.settled("p_1")

        rows, _ = self.rows(merchant, shortcode=PAYER, account="Charges Paid Account", bare="1")
        assert [each["Withdrawn"] for each in rows] == ["-5.00"]
        rows, _ = self.rows(merchant, shortcode=PAYER, **{"from": "2100-01-01T00:00:00"})
        assert rows == []

    @pytest.mark.parametrize(
        ("params", "code"),
        [({"account": "Savings"}, 404), ({"shortcode": "1"}, 404), ({"from": "now"}, 400)],
    )
    def test_of_nothing_is_none(self, merchant, params, code):
        answer = requests.get(f"{merchant.url}/daraja/control/statement", params=params, timeout=5)
        assert answer.status_code == code


def test_all_that_there_is_stays_the_same_whatever_is_done(merchant):
    merchant.phone()
    everything = merchant.control("GET", "totals")["everything"]
    receipt = paid(merchant, 150)
    reverse(merchant, receipt, "50")
    merchant.b2c("p_1", amount=300)
    merchant.settled("p_1")

    assert until(lambda: merchant.control("GET", "totals")["everything"]) == everything
