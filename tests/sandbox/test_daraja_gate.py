"""
Daraja's gateway: tokens, what it refuses and in which words, how fast one may come.
"""

from __future__ import annotations

import json

import pytest
import requests
from merchant import KEY, PAYER, SECRET, SHORTCODE, refused

STK = "/mpesa/stkpush/v1/processrequest"
B2C = "/mpesa/b2c/v3/paymentrequest"


class TestTokens:
    @pytest.mark.parametrize("login", [(KEY, "wrong"), ("wrong", SECRET), ("", "")])
    def test_a_wrong_login_is_400_without_a_body(self, merchant, login):
        answer = merchant.login(*login)

        assert (answer.status_code, answer.content) == (400, b"")

    def test_or_an_envelope_where_it_is_told_to(self, merchant):
        merchant.terms(wrong_login="envelope")

        assert refused(merchant.login("wrong"))[:2] == (400, "400.008.01")

    def test_another_grant_is_none(self, merchant):
        answer = merchant.login(grant_type="password")

        assert refused(answer) == (400, "400.008.02", "Invalid grant type passed")

    @pytest.mark.parametrize("status", [404, 401])
    @pytest.mark.parametrize("token", ["", "made-up"])
    def test_without_one_nothing_is_taken(self, merchant, status, token):
        merchant.terms(bearer_status=status)

        answer = requests.post(
            f"{merchant.url}/daraja{STK}",
            json=merchant.stk_body(),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=5,
        )

        assert refused(answer) == (status, "404.001.03", "Invalid Access Token")
        assert merchant.prompts() == []

    def test_another_scheme_is_no_authentication(self, merchant):
        answer = requests.post(
            f"{merchant.url}/daraja{STK}", json={}, auth=(KEY, SECRET), timeout=5
        )

        assert refused(answer) == (404, "404.001.04", "Invalid Authentication Header")

    @pytest.mark.parametrize(("one", "status"), [(True, 404), (False, 200)])
    def test_a_new_one_may_end_the_one_before(self, merchant, one, status):
        merchant.terms(one_token=one)
        first = merchant.login().json()["access_token"]
        second = merchant.login().json()["access_token"]

        assert merchant.post(STK, merchant.stk_body(), token=first).status_code == status
        other = merchant.stk_body(msisdn="254722000000")
        assert merchant.post(STK, other, token=second).status_code == 200

    def test_it_ends(self, merchant):
        merchant.terms(expires_in=0)

        assert merchant.login().json()["expires_in"] == "0"
        assert refused(merchant.stk())[1] == "404.001.03"

    def test_all_are_void_when_a_door_says_so(self, merchant):
        assert merchant.stk().status_code == 200
        merchant.control("DELETE", "tokens")

        assert refused(merchant.stk())[1] == "404.001.03"


class TestAddresses:
    @pytest.mark.parametrize("path", ["/mpesa/nothing/v1", "/oauth/v2/generate", "/mpesa/b2c/v2/x"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_one_that_is_nobodys_is_not_found(self, merchant, path, method):
        answer = requests.request(method, f"{merchant.url}/daraja{path}", timeout=5)

        assert refused(answer) == (404, "404.001.01", "Resource not found")

    @pytest.mark.parametrize(("method", "path"), [("GET", STK), ("PUT", B2C), ("DELETE", STK)])
    def test_a_wrong_method_is_not_allowed(self, merchant, method, path):
        answer = requests.request(method, f"{merchant.url}/daraja{path}", timeout=5)

        assert refused(answer) == (405, "405.001", "Method Not Allowed")

    def test_the_token_is_got(self, merchant):
        answer = requests.post(f"{merchant.url}/daraja/oauth/v1/generate", timeout=5)

        assert answer.status_code == 405


class TestFields:
    @pytest.mark.parametrize(
        ("path", "field"), [(STK, "BusinessShortCode"), (B2C, "InitiatorName")]
    )
    def test_a_body_that_is_not_json_by_its_type_lacks_the_first(self, merchant, path, field):
        token = merchant.login().json()["access_token"]
        answer = requests.post(
            f"{merchant.url}/daraja{path}",
            data="{}",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "text/plain"},
            timeout=5,
        )

        assert refused(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")

    @pytest.mark.parametrize("body", ["{", "[]", '"x"', "", "\xff"])
    def test_a_body_that_is_no_object_is_none(self, merchant, body):
        token = merchant.login().json()["access_token"]
        answer = requests.post(
            f"{merchant.url}/daraja{STK}",
            data=body.encode("latin-1"),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=5,
        )

        assert refused(answer) == (400, "400.002.05", "Invalid Request Payload")

    @pytest.mark.parametrize(
        ("field", "values", "named"),
        [
            ("BusinessShortCode", ["", None, "1234", "12345678", "17437a", [], True], None),
            ("Timestamp", ["", "2021-06-28", "20211328092408", "20210628252408"], None),
            ("TransactionType", ["", "CustomerPaybillOnline", 1], None),
            ("Amount", ["0", 0, -1, "10.00", 10.5, "ten", "1e3", None, ""], None),
            ("PartyA", ["0708374149", "+254708374149", "25470837414", "254208374149"], None),
            ("PhoneNumber", ["0708374149", "2547083741499", "", None], None),
            ("PartyB", ["", "paybill", None], None),
            ("AccountReference", ["", None, "1234567890123"], None),
            ("TransactionDesc", ["", None, "12345678901234"], "Remarks"),
            ("Password", ["", None], None),
        ],
    )
    def test_of_a_prompt_are_refused_by_their_names(self, merchant, field, values, named):
        for value in values:
            answer = merchant.stk(**{field: value})

            assert refused(answer) == (
                400,
                "400.002.02",
                f"Bad Request - Invalid {named or field}",
            ), value
        assert merchant.prompts() == []

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "ftp://kabambe.co.ke/x",
            "https://",
            "https://mydomain.com/path",
            "https://Kabambe.co.ke/x",
            "https://kabambe.co.ke/callbacks/mpesa/1",
            "https://kabambe.co.ke/M-PESA/1",
            "https://kabambe.co.ke/safaricom",
            "https://kabambe.co.ke/exec/1",
            "https://kabambe.co.ke/a?query=1",
            "https://kabambe.co.ke/sql",
            "https://kabambe.co.ke/cmd",
            "https://kabambe.co.ke/" + "a" * 500,
            "https://kabambe.co.ke/a b",
        ],
    )
    def test_a_callback_address_that_safaricom_would_not_call(self, merchant, url):
        answer = merchant.stk(CallBackURL=url)

        assert refused(answer)[2] == "Bad Request - Invalid CallBackURL"

    def test_http_will_not_do_where_it_is_as_in_production(self, merchant):
        assert merchant.stk().status_code == 200
        merchant.terms(https_only=True)

        assert refused(merchant.stk(msisdn="254722000000"))[2].endswith("CallBackURL")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("OriginatorConversationID", ""),
            ("OriginatorConversationID", "p 1"),
            ("InitiatorName", ""),
            ("SecurityCredential", ""),
            ("CommandID", "Payment"),
            ("Amount", "9.50"),
            ("PartyA", "x"),
            ("PartyB", "0708374149"),
            ("Remarks", "r"),
            ("ResultURL", "https://mydomain.com/path"),
            ("QueueTimeOutURL", ""),
            ("Occassion", "x" * 101),
        ],
    )
    def test_of_a_payout_too(self, merchant, field, value):
        answer = merchant.post(B2C, merchant.b2c_body("p_1", **{field: value}))

        assert refused(answer)[2] == f"Bad Request - Invalid {field}"
        assert merchant.book() == []

    def test_numbers_and_strings_are_the_same(self, merchant):
        body = merchant.stk_body(amount=5)
        numbers = {name: int(body[name]) for name in ("Amount", "PartyA", "PartyB", "PhoneNumber")}

        assert merchant.post(STK, body | numbers).status_code == 200
        other = merchant.stk_body(msisdn="254722000000", amount="5")
        assert merchant.post(STK, other).status_code == 200

    def test_who_signs_wrongly_has_wrong_credentials(self, merchant):
        body = merchant.stk_body()

        late = merchant.post(STK, body | {"Timestamp": "20210628092408"})
        assert refused(late) == (500, "500.001.1001", "Wrong credentials")
        other = merchant.post(STK, body | {"BusinessShortCode": PAYER})
        assert refused(other) == (500, "500.001.1001", "Merchant does not exist")


class TestPace:
    def test_more_in_a_second_than_agreed_is_a_spike(self, merchant):
        merchant.token = merchant.login().json()["access_token"]
        merchant.terms(per_second=3)
        answers = [merchant.query("ws_CO_none") for _ in range(5)]

        assert [each.json()["errorCode"] for each in answers] == [
            *["500.001.1001"] * 3,
            *["500.003.02"] * 2,
        ]
        assert answers[4].json()["errorMessage"] == "Error Occurred: Spike Arrest Violation"

    def test_a_quota_ends_and_begins_anew(self, merchant):
        merchant.token = merchant.login().json()["access_token"]
        merchant.control("DELETE", "quota")
        merchant.terms(quota=1)
        merchant.query("ws_CO_none")

        assert refused(merchant.query("ws_CO_none")) == (
            500,
            "500.003.03",
            "Error Occurred: Quota Violation",
        )
        merchant.control("DELETE", "quota")
        assert refused(merchant.query("ws_CO_none"))[1] == "500.001.1001"


def test_terms_are_changed_one_by_one_and_brought_back(merchant):
    usual = merchant.control("GET", "terms")
    merchant.terms(quirks={"shuffled": True})
    merchant.terms(per_second=5, quirks={"balance_item": True})
    now = merchant.control("GET", "terms")
    assert (now["per_second"], now["quirks"]["shuffled"]) == (5, True)
    for wrong in ({"per_second": 0}, {"phones": "eat"}, {"unheard": 1}):
        answer = requests.put(f"{merchant.url}/daraja/control/terms", json=wrong, timeout=5)
        assert answer.status_code == 400
    merchant.control("DELETE", "terms")
    assert merchant.control("GET", "terms") == usual


def test_what_was_asked_is_on_record(merchant):
    merchant.stk()
    asked = merchant.control("GET", "requests", api="stk")[0]

    assert asked["path"] == STK
    assert asked["body"]["PartyB"] == SHORTCODE
    assert json.loads(asked["answer"])["ResponseCode"] == "0"
    assert SECRET not in json.dumps(merchant.control("GET", "requests"))
    merchant.control("DELETE", "requests")
    assert merchant.control("GET", "requests") == []
