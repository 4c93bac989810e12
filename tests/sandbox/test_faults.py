"""
Every way in which the provider fails, on a real socket; its reports, and its inbound SMS.
"""

from __future__ import annotations

import re

import pytest
import requests
from standin import PACE, until

from sandbox.africastalking import faults, wire

# What the sender of a spoilt send sees: status, beginning of the body, and whether it arrives.
SPOILT = [
    ({"kind": "http"}, 500, "The service", False),
    ({"kind": "http", "status": 502}, 502, "", False),
    ({"kind": "http", "status": 503, "body": "Later"}, 503, "Later", False),
    ({"kind": "http", "status": 429}, 429, "", False),
    ({"kind": "http", "status": 401}, 401, "", False),
    ({"kind": "html"}, 502, "<html>", False),
    ({"kind": "html", "status": 201}, 201, "<html>", False),
    ({"kind": "empty"}, 201, '{"SMSMessageData": {"Message": "InvalidSenderId"', False),
    ({"kind": "stall", "seconds": 0.01}, 201, '{"SMSMessageData"', True),
    ({"kind": "accept-stall", "seconds": 0.01}, 201, '{"SMSMessageData"', True),
    ({"kind": "accept-http", "status": 503}, 503, "The service", True),
    ({"kind": "malformed"}, 201, '{"SMSMessageData"', True),
    ({"kind": "charset"}, 201, '{"SMSMessageData"', True),
    *(
        ({"kind": "recipient", "code": code}, 201, '{"SMSMessageData"', code < 400)
        for code in wire.STATUSES
    ),
]


class TestFaults:
    @pytest.mark.parametrize(("script", "status", "body", "arrives"), SPOILT)
    def test_spoils_one_send(self, country, script, status, body, arrives):
        country.spoil(**script)

        answer = country.send()

        assert (answer.status_code, answer.text[: len(body)]) == (status, body)
        assert len(country.received()) == arrives
        assert country.send().json()["SMSMessageData"]["Recipients"][0]["statusCode"] == 101

    @pytest.mark.parametrize(
        ("code", "status"), [(c, s) for c, s in wire.STATUSES.items() if c >= 400]
    )
    def test_a_refused_recipient_has_no_id_and_no_cost(self, country, code, status):
        country.spoil(kind="recipient", code=code)

        data = country.send().json()["SMSMessageData"]

        assert data["Message"] == "Sent to 0/1 Total Cost: 0"
        assert data["Recipients"] == [
            {
                "statusCode": code,
                "number": "+254711000001",
                "status": status,
                "cost": "0",
                "messageId": "None",
            }
        ]

    @pytest.mark.parametrize(("kind", "arrives"), [("reset", 0), ("accept-reset", 1)])
    def test_resets_the_connection(self, country, kind, arrives):
        country.spoil(kind=kind)

        with pytest.raises(requests.ConnectionError, match=r"reset|without response"):
            country.send()

        assert len(country.received()) == arrives

    @pytest.mark.parametrize(("kind", "arrives"), [("stall", 0), ("accept-stall", 1)])
    def test_stalls_longer_than_a_client_waits(self, country, kind, arrives):
        country.spoil(kind=kind, seconds=0.4)

        with pytest.raises(requests.ReadTimeout):
            country.send(timeout=0.2)

        assert len(country.received()) == arrives

    def test_malformed_is_no_json(self, country):
        country.spoil(kind="malformed")

        answer = country.send()

        assert answer.headers["Content-Type"] == "application/json"
        with pytest.raises(requests.JSONDecodeError):
            answer.json()

    def test_scripts_are_used_in_order_and_shown(self, country):
        country.spoil(kind="http", status=503, next=2)
        country.spoil(kind="empty")

        left = requests.get(f"{country.url}/africastalking/faults", timeout=5).json()
        assert [(each["kind"], each["next"]) for each in left] == [("http", 2), ("empty", 1)]
        assert [country.send().status_code for _ in range(4)] == [503, 503, 201, 201]
        assert requests.get(f"{country.url}/africastalking/faults", timeout=5).json() == []

    def test_can_be_called_off(self, country):
        country.spoil(kind="http", next=9)
        requests.delete(f"{country.url}/africastalking/faults", timeout=5)

        assert country.send().status_code == 201

    @pytest.mark.parametrize(
        ("script", "word"),
        [
            ({}, "kind"),
            ({"kind": "earthquake"}, "kind"),
            ({"kind": "http", "status": 99}, "status"),
            ({"kind": "recipient", "code": 299}, "code"),
            ({"kind": "stall", "seconds": 1e9}, "seconds"),
            ({"kind": "http", "next": 0}, "next"),
            ({"kind": "http", "colour": "red"}, "colour"),
        ],
    )
    def test_says_what_is_wrong_with_a_script(self, country, script, word):
        answer = requests.post(f"{country.url}/africastalking/faults", json=script, timeout=5)

        assert answer.status_code == 400
        assert word in answer.json()["error"]


class TestReports:
    def test_a_report_follows(self, country):
        message_id = country.send().json()["SMSMessageData"]["Recipients"][0]["messageId"]

        assert until(country.reports) == [
            {
                "id": message_id,
                "status": "Success",
                "phoneNumber": "+254711000001",
                "networkCode": "63902",
                "retryCount": "0",
            }
        ]

    @pytest.mark.parametrize(
        ("script", "statuses"),
        [
            ({"kind": "report-failed"}, ["Failed"]),
            ({"kind": "report-failed", "status": "AbsentSubscriber"}, ["AbsentSubscriber"]),
            ({"kind": "report-late", "seconds": 0.05}, ["Success"]),
            ({"kind": "report-doubled"}, ["Success", "Success"]),
            ({"kind": "report-out-of-order"}, ["Success", "Submitted", "Sent"]),
            ({"kind": "report-unknown"}, ["Lingering"]),
            ({"kind": "report-first"}, ["Success"]),
        ],
    )
    def test_can_go_wrong(self, country, script, statuses):
        country.spoil(**script)
        country.send()

        until(lambda: len(country.reports()) == len(statuses))
        assert [each["status"] for each in country.reports()] == statuses

    def test_a_failed_one_says_why_and_nothing_arrives(self, country):
        country.spoil(kind="report-failed", reason="UserInBlackList")
        country.send()

        assert until(country.reports)[0]["failureReason"] == "UserInBlackList"
        assert country.received() == []

    def test_can_come_before_the_answer(self, country):
        country.spoil(kind="report-first")

        message_id = country.send().json()["SMSMessageData"]["Recipients"][0]["messageId"]

        assert [each["id"] for each in country.reports()] == [message_id]

    def test_can_stay_away(self, country):
        country.spoil(kind="no-report")
        country.send()
        second = country.send().json()["SMSMessageData"]["Recipients"][0]["messageId"]

        assert [each["id"] for each in until(country.reports)] == [second]

    def test_is_tried_again_until_it_is_taken(self, country):
        country.web.refuse = 2
        country.send()

        until(lambda: len(country.reports()) == 3)
        assert len({each["id"] for each in country.reports()}) == 1

    def test_is_given_up_in_the_end(self, country):
        country.web.refuse = 99
        country.send()

        until(lambda: len(country.reports()) == 1 + len(PACE.retry_after))
        country.send()
        until(lambda: len(country.reports()) == 2 * (1 + len(PACE.retry_after)))


class TestInbound:
    def test_brings_a_message_to_our_door_until_it_is_taken(self, country):
        country.web.refuse = 1
        body = {"from": "0712000001", "to": "20384", "text": "BAL 1*2 & ñ"}

        answer = requests.post(f"{country.url}/africastalking/inbound", json=body, timeout=5)

        assert answer.status_code == 202
        until(lambda: len(country.web.got("inbound")) == 2)
        first, second = country.web.got("inbound")
        assert first == second == answer.json()
        assert set(first) == {"date", "from", "id", "linkId", "text", "to", "cost", "networkCode"}
        assert (first["from"], first["to"], first["text"]) == (
            "+254712000001",
            "20384",
            "BAL 1*2 & ñ",
        )
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["date"])

    def test_asks_for_its_content_type(self, country):
        answer = requests.post(
            f"{country.url}/africastalking/inbound", data='{"from": "0712000001"}', timeout=5
        )
        assert answer.status_code == 400
        assert "application/json" in answer.json()["error"]


def test_every_fault_is_documented():
    kinds = set(faults._SCRIPT.json_schema()["discriminator"]["mapping"])

    assert kinds == set(re.findall(r"^\| `([a-z-]+)` ", faults.__doc__, re.MULTILINE))
