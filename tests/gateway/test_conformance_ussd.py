"""
The provider's USSD contract, line by line, by HTTP against the running door.

Every case is named by the line it holds: what arrives (fields, content types), how `text` behaves,
what must be answered, and how the end is told.
"""

from __future__ import annotations

import re
import time
from urllib.parse import urlencode

import pytest
import requests
from house_parts import served
from line import AMINA, FORM, HOME, INTERRUPTED, OTIENO, UNREAD, WANJIRU, Line, case

from core.money import kes
from menus.gsm7 import septets


@pytest.fixture(scope="module")
def url(built):
    """The doors, served on a socket."""
    with served(built.app) as url:
        yield url


@pytest.fixture
def line(house, url, wanjiru, otieno):
    house.workers_are_there = False
    return Line(house, url)


class TestRequest:
    """1.1"""

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            pytest.param({}, HOME, id="sessionId: ATUid_ and 32 hex, stable for the session"),
            pytest.param({"phoneNumber": "+254712000001"}, HOME, id="phoneNumber: E.164 with +"),
            pytest.param(
                {"phoneNumber": "254712000001"}, HOME, id="phoneNumber: missing + tolerated"
            ),
            pytest.param({"networkCode": "99999"}, HOME, id="networkCode: 99999 sandbox"),
            pytest.param({"networkCode": "63902"}, HOME, id="networkCode: 63902 Safaricom"),
            pytest.param({"networkCode": "63903"}, HOME, id="networkCode: 63903 Airtel KE"),
            pytest.param({"networkCode": "63907"}, HOME, id="networkCode: 63907 Telkom KE"),
            pytest.param({"networkCode": "63999"}, HOME, id="networkCode: 63999 Equitel"),
            pytest.param({"networkCode": None}, HOME, id="networkCode: missing is unknown"),
            pytest.param({"serviceCode": "*384#"}, HOME, id="serviceCode: a code of one's own"),
            pytest.param({"serviceCode": "*384*70421#"}, HOME, id="serviceCode: with the suffix"),
            pytest.param({"text": ""}, HOME, id="text: empty on the first hop"),
            pytest.param({"extra": "x"}, HOME, id="an unknown field is ignored"),
            pytest.param({"sessionId": None}, UNREAD, id="sessionId missing"),
            pytest.param({"phoneNumber": None}, UNREAD, id="phoneNumber missing"),
            pytest.param({"serviceCode": None}, UNREAD, id="serviceCode missing"),
            pytest.param({"text": None}, UNREAD, id="text missing"),
        ],
    )
    def test_fields(self, line, change, said):
        assert line.hop(**change).startswith(said)

    @pytest.mark.parametrize(
        "content_type", [FORM, f"{FORM}; charset=UTF-8", f"{FORM};charset=utf-8", FORM.upper()]
    )
    def test_content_types_are_not_compared_by_equality(self, line, content_type):
        said = line.raw(urlencode(line.fields()), content_type)
        assert said.text.startswith(HOME)

    def test_the_wire_as_it_was_captured(self, line):
        body = (
            "phoneNumber=%2B254712000001&serviceCode=%2A384%2A70421%23&text="
            "&sessionId=ATUid_e9d0662dea3f3db658e79d9b62f7900c&networkCode=99999"
        )
        assert line.raw(body).text.startswith(HOME)
        assert line.raw(body.replace("text=", "text=4")).text.startswith("CON Help")
        other = {"Accept-Encoding": "gzip", "X-Forwarded-For": "134.213.151.223"}
        more = line.raw(body.replace("text=", "text=4%2A1"), **other)
        assert more.text.startswith("CON Choose 1")

    def test_field_order_is_not_the_documentations_order(self, line):
        fields = line.fields()
        assert line.raw(urlencode(sorted(fields.items()))).text.startswith(HOME)
        assert line.raw(urlencode(sorted(fields.items(), reverse=True))).text.startswith(HOME)


class TestText:
    """1.2"""

    @case("'' is the first hop; choosing 1, 1, 2 gives 1, 1*1, 1*1*2")
    def test_grows(self, line, row):
        assert line.walk("", "4").startswith("CON Help")
        assert line.hop("4*1").startswith("CON Choose 1")
        assert line.hop("5*1*0").startswith(INTERRUPTED)  # a history nobody heard
        assert line.hop("4*1*0").startswith("CON Help")

    @case("back and home keys are ordinary input; the transcript only grows")
    def test_back_is_a_segment(self, line, row):
        assert line.walk("", "4", "4*1", "4*1*0").startswith("CON Help")
        assert line.hop("4*1*0*00").startswith(HOME)
        assert line.hop("4*1*0*00*#").startswith("CON That is not on the menu.")
        assert line.hop("4*1*0*00*#*98").startswith("CON That is not on the menu.")

    @case("an empty reply gives an empty segment: 1* or 1**3; positions are preserved")
    def test_empty(self, line, row):
        assert line.walk("", "4", "4*").startswith("CON That is not on the menu.\nHelp")
        assert line.hop("4**1").startswith("CON Choose 1")

    @case("blank values are not dropped by parsing")
    def test_blank(self, line, row):
        assert line.raw(urlencode(line.fields(""))).text.startswith(HOME)

    @case("* typed by the user is not escaped: what was typed is the suffix after what was heard")
    def test_star(self, line, row):
        assert line.walk("", "1", "1**").startswith("CON That is not a phone number.")
        assert line.hop("1***0733000002").startswith("CON To Otieno")
        assert line.hop("1***0733000002*5*0").startswith("CON That is not an amount.")

    @case("direct dial: the first callback carries text; a PIN is never accepted through it")
    def test_direct_dial(self, line, otieno, row):
        said = line.hop("1*0733000002*500*4071")
        assert said.startswith("CON Send KES 500.00 to Otieno")
        assert otieno.balance == kes(0)

    @case("free text is form-encoded: Mkulima+wa+Kiswahili, A%2BB+%26+C%3D10%25")
    def test_form_encoded(self, house, url, row):
        line = Line(house, url)
        body = urlencode(line.fields(phoneNumber="+254720000009"))
        assert line.raw(body).text.startswith("CON Welcome")
        assert line.raw(body.replace("text=", "text=1")).text.startswith("CON Your name")
        refused = line.raw(body.replace("text=", "text=1%2AA%2BB+%26+C%3D10%25")).text
        assert refused.startswith("CON Use your own name, 2 to 20 letters")
        encoded = "text=1%2AA%2BB+%26+C%3D10%25%2AMkulima+wa+Afrika"
        said = line.raw(body.replace("text=", encoded)).text
        assert said.startswith("CON Mkulima wa Afrika, choose a PIN")

    @case("GSM-7 mangling of @: U+00A1 becomes @ in free text")
    def test_mangled(self, line, monkeypatch, row):
        heard = []
        monkeypatch.setattr("core.msisdn.parse", lambda text: heard.append(text) or "+254733000002")
        line.walk("", "1", "1*otieno¡example.com")
        assert heard == ["otieno@example.com"]

    @case("hidden characters, trailing newline: trimmed for menu choices")
    def test_trimmed(self, line, row):
        assert line.walk("", "4\r\n").startswith("CON Help")
        assert line.hop("4\r\n*\u200b1 ").startswith("CON Choose 1")


class TestResponse:
    """1.3"""

    @case("200, text/plain, begins exactly with CON or END; no BOM, not empty")
    def test_form(self, line, row):
        for text in ("", "3", "3*2", "3*2*1", "3*2*1*9"):
            answer = line.raw(urlencode(line.fields(text)))
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert re.match(rb"(CON|END) \S", answer.content)

    @case("even our own errors are 200 and END")
    @pytest.mark.parametrize(
        "body", [b"", b"\x00\xff", b"text=%", b"sessionId=x", b"x" * 20_000, b'{"text": ""}']
    )
    def test_errors(self, line, body, row):
        answer = line.raw(body)
        assert (answer.status_code, answer.text.split("\n")[0]) == (200, UNREAD)
        assert "Samahani" in answer.text
        assert septets(answer.text) <= 160

    @case("foreign requests are not answered at all")
    def test_foreign(self, line, row):
        stranger = line.url.removesuffix("sandbox") + "guess"
        assert requests.post(stranger, data=line.fields(), timeout=5).status_code == 404

    @case("deadline 10 s: a lease that another hop holds is given up on")
    def test_deadline(self, line, house, row):
        line.hop("")
        until = int(time.time() * 1000) + 60_000
        house.redis.hset(f"kabambe:ussd:{line.session}", "until", until)
        began = time.monotonic()
        assert line.hop("4").startswith("END Sorry, please try again shortly.\nSamahani")
        assert time.monotonic() - began < 8.5

    @case("at-ussd-hop-metadata: the screen's name, 99 characters at most, no |, no data")
    def test_label(self, line, row):
        labels = []
        for text in ("", "1", "1*0733000002", "1*0733000002*50", "1*0733000002*50*4071"):
            answers = [line.raw(urlencode(line.fields(text))) for _ in range(2)]
            first, again = [each.headers["at-ussd-hop-metadata"] for each in answers]
            assert first == again, "a replay has it too"
            assert answers[0].content == answers[1].content
            labels.append(first)
        assert labels == [
            "home.Home", "send.Recipient", "send.Amount", "send.Confirm", "send.Outcome"
        ]  # fmt: skip
        others = [
            line.raw(urlencode(line.fields("9*9*9"))),
            line.raw(urlencode(line.fields("", phoneNumber=OTIENO))),
            line.raw(b"text="),
        ]
        said = [each.headers["at-ussd-hop-metadata"] for each in others]
        assert said == ["send.Outcome", "session.Interrupted", "session.Unread"]

    @case("no special characters: what is said is GSM-7")
    def test_alphabet(self, line, house, amina, row):
        for msisdn in (WANJIRU, AMINA):
            session = Line(house, line.url.partition("/ussd")[0], f"ATUid_{msisdn[1:]}")
            for text in ("", "4", "4*1", "4*1*0", "4*1*0*4"):
                septets(session.hop(text, phoneNumber=msisdn))


class TestTheEnd:
    """1.6"""

    @pytest.mark.parametrize(
        ("field", "given", "kept"),
        [
            pytest.param("date", "2026-10-09 12:17:37", "2026-10-09 12:17:37", id="date: UTC"),
            pytest.param("serviceCode", "*384*70421#", "*384*70421#", id="serviceCode"),
            pytest.param("networkCode", "63902", "63902", id="networkCode"),
            pytest.param("phoneNumber", WANJIRU, WANJIRU, id="phoneNumber"),
            pytest.param("status", "Success", "Success", id="status: Success"),
            pytest.param("status", "Incomplete", "Incomplete", id="status: Incomplete"),
            pytest.param("status", "Failed", "Failed", id="status: Failed"),
            pytest.param("cost", "0.00", "0.00", id="cost: a string, kept as text"),
            pytest.param("cost", "KES 0.10", "KES 0.10", id="cost: docs-style"),
            pytest.param("durationInMillis", "192", "192", id="durationInMillis: a string"),
            pytest.param("hopsCount", "1", "1", id="hopsCount: a string"),
            pytest.param("errorMessage", "", "", id="errorMessage: present and empty when none"),
            pytest.param(
                "hopsMetadata",
                "home.Home|send.Recipient|send.Amount",
                "home.Home|send.Recipient|send.Amount",
                id="hopsMetadata: labels joined by |",
            ),
            pytest.param(
                "hopsMetadata",
                "home.Home|4071|<b>|send.Amount 500|0712000001|" + "x" * 3000 + "|send.Confirm",
                "home.Home|send.Confirm",
                id="hopsMetadata: forged ones hold nothing",
            ),
            pytest.param(
                "input", "1*0733000002*500*4071", "21 characters", id="input: contains PINs"
            ),
            pytest.param("lastAppResponse", "END 4071", None, id="lastAppResponse: not kept"),
        ],
    )
    def test_fields(self, line, field, given, kept):
        [(form,)] = line.told(**{field: given})
        assert form.get(field) == kept
        assert "4071" not in str(form)

    @case("errorMessage is optional")
    def test_optional(self, line, house, row):
        bare = {"sessionId": line.session}
        assert requests.post(f"{line.url}/events", data=bare, timeout=5).status_code == 200
        assert house.bank.one("SELECT count(*) FROM inbox") == 1

    @case("a forged event must not be able to kill someone's live session")
    def test_forged(self, line, row):
        line.hop("")
        line.told(status="Success")
        assert line.hop("4").startswith("CON Help")

    @case("Success is not that a payment succeeded; a repeat is kept once")
    def test_success(self, line, otieno, row):
        for _ in range(2):
            told = line.told(status="Success")
        assert len(told) == 1
        assert otieno.balance == kes(0)

    @case("a hundred hops' labels are kept whole")
    def test_long(self, line, row):
        labels = "|".join(["account.ChooseLanguage"] * 150)
        [(form,)] = line.told(hopsMetadata=labels)
        assert form["hopsMetadata"] == "|".join(["account.ChooseLanguage"] * 100)
