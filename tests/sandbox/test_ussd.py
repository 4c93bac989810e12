"""
The network's side of USSD against a stand-in for our web: the wire, its rules and its limits.
"""

from __future__ import annotations

import re
import threading
import time

import pytest
from flask import Response
from standin import until

from sandbox.africastalking.courier import Pace


class TestUssd:
    def test_a_hop_looks_as_it_was_captured(self, country):
        reply = country.dial()
        country.ussd(session=reply["session"], answer="1")

        session = reply["session"]
        assert re.fullmatch(r"ATUid_[0-9a-f]{32}", session)
        assert country.web.bodies[1].decode() == (
            "phoneNumber=%2B254712000001&serviceCode=%2A384%23&text=1"
            f"&sessionId={session}&networkCode=63902"
        )
        assert country.web.bodies[0].decode().count("&text=&") == 1
        headers = country.web.headers[0]
        assert headers["User-Agent"] == "at-ussd-api/1.0"
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"

    def test_a_conversation(self, country):
        reply = country.dial()
        assert reply["screen"] == "Kabambe\n1. Send money\n2. Help"
        assert reply["ended"] is False
        said = ["1", "0733000002", "500"]
        for answer in said:
            reply = country.ussd(session=reply["session"], answer=answer).json()

        assert (reply["screen"], reply["ended"]) == ("Sent KES 500 to 0733000002.", True)
        assert "error" not in reply
        exchange = reply["exchange"]
        assert exchange["url"] == "/ussd/africastalking/***"
        assert exchange["request"]["text"] == "1*0733000002*500"
        assert exchange["response"] == "END Sent KES 500 to 0733000002."
        assert (exchange["status"], exchange["septets"]) == (200, len(reply["screen"]))
        assert exchange["milliseconds"] < 1000
        again = country.ussd(session=reply["session"], answer="1").json()
        assert (again["ended"], again["session"]) == (True, None)

    @pytest.mark.parametrize(
        ("dialled", "text"),
        [("*384#", ""), ("*384*1#", "1"), ("*384*1*2#", "1*2"), ("*384*1**3#", "1**3")],
    )
    def test_direct_dial(self, country, dialled, text):
        country.dial(dialled)

        assert country.web.hops[0]["text"] == text
        assert country.web.hops[0]["serviceCode"] == "*384#"

    @pytest.mark.parametrize("dialled", ["*385#", "*3841#", "*384", "384#", "", "*384#1"])
    def test_another_code_reaches_nobody(self, country, dialled):
        reply = country.dial(dialled)

        assert (reply["session"], reply["ended"], reply["exchange"]) == (None, True, None)
        assert "nobody" in reply["error"]
        assert country.web.hops == []

    def test_nothing_is_escaped_or_dropped(self, country):
        reply = country.dial()
        country.web.answer = lambda _: "CON More?"
        for answer in ["1", "", "*", "00", " A+B & C=10% "]:
            country.ussd(session=reply["session"], answer=answer)

        assert country.web.hops[-1]["text"] == "1****00* A+B & C=10% "

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (lambda _: "Hello", "start with a CON or an END"),
            (lambda _: "", "start with a CON or an END"),
            (lambda _: " CON Hello", "start with a CON or an END"),
            (lambda _: Response("CON Hello", 500), "answered 500"),
            (lambda _: Response("", 302, {"Location": "/elsewhere"}), "answered 302"),
            (lambda _: time.sleep(1.8) or "CON late", "No answer within 1.5 s"),
        ],
    )
    def test_what_breaks_the_rules_ends_in_a_network_error(self, country, answer, words):
        country.web.answer = answer
        reply = country.dial()

        assert (reply["screen"], reply["ended"]) == (
            "Connection problem or invalid MMI code.",
            True,
        )
        assert words in reply["error"]
        event = until(lambda: country.web.got("events"))[0]
        assert event["status"] == "Failed"
        assert words in event["errorMessage"]

    def test_a_dripping_answer_is_cut_off(self, country):
        def drip(_):
            return Response(time.sleep(0.1) or f"CON {n}" for n in range(20))

        country.web.answer = drip
        assert "No answer" in country.dial()["error"]

    def test_shows_what_fits_one_string(self, country):
        country.web.answer = lambda _: "CON " + "a" * 190
        reply = country.dial()

        assert (len(reply["screen"]), reply["exchange"]["septets"]) == (182, 190)
        assert "too long" in reply["error"]
        assert reply["ended"] is False

    def test_the_end_is_told_as_it_was_captured(self, country):
        reply = country.dial()
        country.ussd(session=reply["session"], answer="2")

        event = until(lambda: country.web.got("events"))[0]
        assert " ".join(event) == (
            "durationInMillis phoneNumber errorMessage serviceCode lastAppResponse hopsMetadata"
            " hopsCount status sessionId cost date networkCode input"
        )
        assert int(event.pop("durationInMillis")) < 5000
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", event.pop("date"))
        assert event == {
            "phoneNumber": "+254712000001",
            "errorMessage": "",
            "serviceCode": "*384#",
            "lastAppResponse": "END Help: call 100.",
            "hopsMetadata": "",
            "hopsCount": "2",
            "status": "Success",
            "sessionId": reply["session"],
            "cost": "0.00",
            "networkCode": "63902",
            "input": "2",
        }

    def test_hanging_up_is_incomplete(self, country):
        reply = country.dial()
        ended = country.ussd(session=reply["session"], hangup=True).json()

        assert (ended["ended"], ended["exchange"]) == (True, None)
        assert until(lambda: country.web.got("events"))[0]["status"] == "Incomplete"

    def test_dialling_again_gives_the_first_session_up(self, country):
        first = country.dial()
        second = country.dial()

        events = until(lambda: country.web.got("events"))
        assert [(each["sessionId"], each["status"]) for each in events] == [
            (first["session"], "Incomplete")
        ]
        assert country.ussd(session=second["session"], answer="1").json()["ended"] is False

    @pytest.mark.parametrize("country", [Pace(session_life=0.05)], indirect=True)
    def test_a_session_has_its_life(self, country):
        session = country.dial()["session"]

        assert until(lambda: country.web.got("events"))[0]["status"] == "Incomplete"
        assert "Dial again" in country.ussd(session=session, answer="1").json()["error"]

    def test_labels_go_round_and_into_the_event(self, country):
        labels = iter(["home", "a|b", "x" * 200])
        country.web.answer = lambda _: Response(
            "CON Go on", headers={"at-ussd-hop-metadata": next(labels)}
        )
        session = country.dial()["session"]
        country.ussd(session=session, answer="1")
        country.ussd(session=session, answer="1")
        country.ussd(session=session, hangup=True)

        echoed = [each.get("At-Ussd-Hop-Metadata") for each in country.web.headers]
        assert echoed == [None, "home", "ab"]
        event = until(lambda: country.web.got("events"))[0]
        assert event["hopsMetadata"] == "home|ab|" + "x" * 99

    def test_can_send_every_hop_twice(self, country):
        reply = country.dial(duplicate=True)
        reply = country.ussd(session=reply["session"], answer="1").json()

        assert [each["text"] for each in country.web.hops] == ["", "", "1", "1"]
        assert reply["exchange"]["copy"]["identical"] is True

    def test_a_handset_answers_once_at_a_time(self, country):
        session = country.dial()["session"]
        reached, go_on = threading.Event(), threading.Event()
        country.web.answer = lambda _: (reached.set(), go_on.wait(0.25)) and "CON Next"
        first = threading.Thread(target=country.ussd, kwargs={"session": session, "answer": "1"})
        first.start()
        assert reached.wait(5)

        second = country.ussd(session=session, answer="2")
        go_on.set()
        first.join()

        assert second.status_code == 409
        assert [each["text"] for each in country.web.hops] == ["", "1"]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"phone": "0712000001"},
            {"phone": "Amina", "dial": "*384#"},
            {"phone": 712000001, "dial": "*384#"},
            {"session": "ATUid_0", "answer": 1},
            {"session": "ATUid_0", "answer": "1" * 183},
            {"session": 5, "hangup": True},
        ],
    )
    def test_says_what_is_wrong_with_a_request(self, country, body):
        answer = country.ussd(**body)

        assert answer.status_code == 400
        assert answer.json()["error"].startswith("'")
