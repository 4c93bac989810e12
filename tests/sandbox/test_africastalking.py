"""
The fake Africa's Talking against the provider's own samples and the provider's own client.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from africastalking.Application import ApplicationService
from africastalking.SMS import SMSService
from standin import CODE, KEY, TOKEN

from sandbox.africastalking import gsm7, wire
from sandbox.country import create_app


class TestSend:
    def test_answers_as_the_reference_has_it(self, country):
        answer = country.send()

        assert answer.status_code == 201
        assert answer.headers["Content-Type"] == "application/json"
        data = answer.json()["SMSMessageData"]
        message_id = data["Recipients"][0]["messageId"]
        assert re.fullmatch(r"AT[XP]id_[0-9a-f]{32}", message_id)
        assert data == {
            "Message": "Sent to 1/1 Total Cost: KES 0.8000",
            "Recipients": [
                {
                    "statusCode": 101,
                    "number": "+254711000001",
                    "status": "Success",
                    "cost": "KES 0.8000",
                    "messageId": message_id,
                }
            ],
        }

    @pytest.mark.parametrize("key", [None, "", "wrong", "sandbox-wörd"])
    def test_refuses_a_wrong_key_in_plain_text(self, country, key):
        answer = country.send(key=key and key.encode())

        assert answer.status_code == 401
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.text == "The supplied authentication is invalid"
        assert country.received() == []

    def test_refuses_another_account(self, country):
        assert country.send(username="Sandbox").status_code == 401

    @pytest.mark.parametrize("field", ["username", "to", "message"])
    @pytest.mark.parametrize("value", [None, ""])
    def test_names_a_missing_field(self, country, field, value):
        answer = country.send(**{field: value})

        assert answer.status_code == 400
        assert field in answer.text

    def test_an_unknown_sender_leaves_no_recipients(self, country):
        answer = country.send(**{"from": "NOBODY"})

        assert answer.status_code == 201
        assert answer.json() == {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}
        assert country.received() == []

    @pytest.mark.parametrize("sender", [None, "AFRICASTKNG", "KABAMBE"])
    def test_a_message_shows_its_sender(self, country, sender):
        country.send(**{"from": sender})

        assert [each["from"] for each in country.received()] == [sender or "AFRICASTKNG"]

    def test_several_numbers_are_judged_apart(self, country):
        answer = country.send(to="+254711000001,0711000002,+254202000003, +254733000004,+1")

        data = answer.json()["SMSMessageData"]
        assert data["Message"] == "Sent to 2/5 Total Cost: KES 1.6000"
        assert [(each["statusCode"], each["status"]) for each in data["Recipients"]] == [
            (101, "Success"),
            (403, "InvalidPhoneNumber"),
            (404, "UnsupportedNumberType"),
            (101, "Success"),
            (403, "InvalidPhoneNumber"),
        ]
        refused = data["Recipients"][1]
        assert (refused["messageId"], refused["cost"]) == ("None", "0")
        assert [each["to"] for each in country.received()] == ["+254711000001", "+254733000004"]

    @pytest.mark.parametrize(
        ("text", "cost"),
        [
            ("a" * 160, "KES 0.8000"),
            ("a" * 161, "KES 1.6000"),
            ("a" * 307, "KES 2.4000"),
            ("€" * 80, "KES 0.8000"),
            ("€" * 81, "KES 1.6000"),
            ("₮" * 70, "KES 0.8000"),
            ("₮" * 71, "KES 1.6000"),
        ],
    )
    def test_a_message_costs_its_parts(self, country, text, cost):
        recipient = country.send(message=text).json()["SMSMessageData"]["Recipients"][0]

        assert recipient["cost"] == cost
        assert country.received()[0]["message"] == text

    def test_speaks_xml_to_whoever_does_not_ask_for_json(self, country):
        answer = country.send(accept="*/*")

        assert answer.headers["Content-Type"] == "application/xml"
        assert "<Recipient><statusCode>101</statusCode>" in answer.text

    def test_refuses_a_body_without_end(self, country):
        assert country.send(message="a" * 70_000).status_code == 413


class TestOfficialPackage:
    """The provider's own client, as a third party that knows nothing of us."""

    @pytest.fixture
    def sms(self, country):
        service = SMSService("sandbox", KEY)
        service._baseUrl = f"{country.url}/africastalking/version1"
        return service

    def test_sends(self, country, sms):
        answer = sms.send("Habari", ["+254712000001", "+254733000002"], "KABAMBE")

        assert answer["SMSMessageData"]["Message"] == "Sent to 2/2 Total Cost: KES 1.6000"
        assert [each["message"] for each in country.received()] == ["Habari", "Habari"]

    def test_is_given_text_where_the_content_type_names_a_charset(self, country, sms):
        country.spoil(kind="charset")

        answer = sms.send("Habari", ["+254712000001"])

        assert isinstance(answer, str)
        assert json.loads(answer)["SMSMessageData"]["Recipients"][0]["statusCode"] == 101

    def test_hears_a_refused_login(self, country, sms):
        sms._headers["apiKey"] = "wrong"

        with pytest.raises(Exception, match="The supplied authentication is invalid"):
            sms.send("Habari", ["+254712000001"])

    def test_reads_the_balance(self, country):
        account = ApplicationService("sandbox", KEY)
        account._baseUrl = f"{country.url}/africastalking/version1"

        assert account.fetch_application_data()["userData"]["balance"].startswith("KES ")


class TestMessages:
    def test_lists_exactly_four_fields_oldest_first(self, country):
        for text in ("one", "two", "three"):
            country.send(message=text)

        received = country.received("+254711000001")
        assert [each["message"] for each in received] == ["one", "two", "three"]
        assert set(received[0]) == {"to", "from", "message", "at"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", received[0]["at"])
        assert [each["at"] for each in received] == sorted(each["at"] for each in received)

    @pytest.mark.parametrize(
        "query",
        ["+254711000001", "%2B254711000001", "254711000001", "0711000001", "0711%20000-001"],
    )
    def test_a_number_may_be_written_in_any_common_form(self, country, query):
        country.send()
        country.send(to="+254733000002")

        answer = requests.get(f"{country.url}/africastalking/messages?to={query}", timeout=5)

        assert [each["to"] for each in answer.json()] == ["+254711000001"]

    def test_says_what_is_wrong_with_a_number(self, country):
        answer = requests.get(f"{country.url}/africastalking/messages?to=Amina", timeout=5)

        assert answer.status_code == 400
        assert "0712000001" in answer.json()["error"]

    def test_can_be_emptied(self, country):
        country.send()
        assert (
            requests.delete(f"{country.url}/africastalking/messages", timeout=5).status_code == 204
        )
        assert country.received() == []

    def test_outlive_the_process(self, tmp_path: Path):
        file = tmp_path / "state" / "messages.jsonl"
        form = {"username": "sandbox", "to": "+254711000001", "message": "Mambo\n€"}
        headers = {"apiKey": KEY}
        first = create_app("http://127.0.0.1:9", CODE, TOKEN, file, api_key=KEY).test_client()
        first.post("/africastalking/version1/messaging", data=form, headers=headers)
        before = first.get("/africastalking/messages").json
        with file.open("a") as out:
            out.write('{"id": "cut sho')

        second = create_app("http://127.0.0.1:9", CODE, TOKEN, file, api_key=KEY).test_client()

        assert second.get("/africastalking/messages").json == before != []
        second.delete("/africastalking/messages")
        third = create_app("http://127.0.0.1:9", CODE, TOKEN, file, api_key=KEY).test_client()
        assert third.get("/africastalking/messages").json == []


class TestStream:
    @staticmethod
    def lines(country, last_id: str = ""):
        answer = requests.get(
            f"{country.url}/africastalking/messages/stream",
            headers={"Last-Event-ID": last_id},
            stream=True,
            timeout=5,
        )
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return answer, answer.iter_lines(chunk_size=1, decode_unicode=True)

    def test_brings_messages_as_they_arrive_and_resumes(self, country):
        country.send(message="one")
        answer, lines = self.lines(country)
        with answer:
            assert [next(line for line in lines if line.startswith("data")) for _ in "1"]
            country.send(message="two")
            block = [
                line
                for _, line in zip(range(30), lines, strict=False)
                if "id: " in line or "data: " in line
            ][:2]
        last_id = block[0].removeprefix("id: ")
        assert json.loads(block[1].removeprefix("data: "))["message"] == "two"

        country.send(message="three")
        answer, lines = self.lines(country, last_id)
        with answer:
            data = next(line for line in lines if line.startswith("data: "))
        assert json.loads(data.removeprefix("data: "))["message"] == "three"

    def test_pings_in_the_silence(self, country):
        answer, lines = self.lines(country)
        with answer:
            assert [line for _, line in zip(range(5), lines, strict=False)].count(": ping") >= 2

    def test_tells_when_the_list_is_emptied(self, country):
        answer, lines = self.lines(country)
        with answer:
            next(lines)
            requests.delete(f"{country.url}/africastalking/messages", timeout=5)
            assert next(line for line in lines if line.startswith("event")) == "event: emptied"

    def test_too_many_are_sent_away_to_poll(self, country):
        with ExitStack() as stack:
            for _ in range(12):
                stack.enter_context(self.lines(country)[0])
            answer = requests.get(f"{country.url}/africastalking/messages/stream", timeout=5)
        assert answer.status_code == 503


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("0712000001", "+254712000001"),
        ("712 000 001", "+254712000001"),
        ("0110-000-001", "+254110000001"),
        ("254712000001", "+254712000001"),
        (" 254712000001", "+254712000001"),
        ("+254 (712) 000001", "+254712000001"),
        ("00254712000001", "+254712000001"),
        ("+256772000001", "+256772000001"),
        ("07120000011", None),
        ("+25471200000", None),
        ("0712oooooo", None),
        ("٠٧١٢٠٠٠٠٠١", None),
        ("", None),
    ],
)
def test_numbers_are_read_in_any_common_form(raw, expected):
    assert wire.number(raw) == expected


@pytest.mark.parametrize(
    ("msisdn", "network"),
    [
        ("+254712000001", "63902"),
        ("+254110000001", "63902"),
        ("+254733000002", "63903"),
        ("+254763000002", "63999"),
        ("+254770000002", "63907"),
        ("+256772000001", "99999"),
    ],
)
def test_a_number_belongs_to_a_network(msisdn, network):
    assert wire.network(msisdn) == network


@pytest.mark.parametrize(
    ("text", "encoding", "units"),
    [("Tuma €5 [sasa]", "GSM-7", 17), ("₮5", "UCS-2", 2), ("😀", "UCS-2", 2), ("", "GSM-7", 0)],
)
def test_septets_are_counted(text, encoding, units):
    assert (gsm7.encoding(text), gsm7.units(text)) == (encoding, units)


@pytest.mark.parametrize(
    ("text", "shown"), [("€" * 92, "€" * 91), ("ñ₮" * 41, "ñ₮" * 40), ("a" * 182, "a" * 182)]
)
def test_a_screen_is_cut_to_what_a_string_holds(text, shown):
    assert gsm7.cut(text) == (shown, shown != text)
