"""
Scripts and weather: what the sender of a spoilt request sees, and whether it was carried out.
"""

from __future__ import annotations

import json
import time

import pytest
import requests
from merchant import MSISDN, refused

# What the sender of a spoilt payout sees: status, how the body begins, and whether it was taken.
SPOILT = [
    ({"kind": "http", "status": 503}, 503, "Service Unavailable", False),
    ({"kind": "http", "moved": True}, 500, "Service Unavailable", True),
    ({"kind": "html"}, 503, "<html>", False),
    ({"kind": "html", "status": 200, "moved": True}, 200, "<html>", True),
    ({"kind": "empty"}, 500, "", False),
    ({"kind": "empty", "moved": True}, 500, "", True),
    ({"kind": "busy"}, 500, "500.003.02 System is busy. Please try again in few minutes.", False),
    ({"kind": "busy", "moved": True}, 500, "500.003.02 System is busy", True),
    ({"kind": "spike"}, 500, "500.003.02 Error Occurred: Spike Arrest Violation", False),
    ({"kind": "quota"}, 500, "500.003.03 Error Occurred: Quota Violation", False),
    ({"kind": "maintenance"}, 500, "500.002.1001 Service is currently under maintenance", False),
    ({"kind": "envelope", "status": 200}, 200, "1 Internal Server Error", False),
    (
        {"kind": "envelope", "code": "500.003.1001", "message": "Oops", "moved": True},
        500,
        "500.003.1001 Oops",
        True,
    ),
    ({"kind": "response-code", "moved": True}, 200, '{"ConversationID"', True),
    ({"kind": "malformed", "moved": True}, 200, '{"ConversationID"', True),
    ({"kind": "stall", "seconds": 0.01, "moved": True}, 200, '{"ConversationID"', True),
    ({"kind": "stall", "seconds": 0.01}, 200, '{"ConversationID"', True),
    ({"kind": "slow-body", "seconds": 0.05}, 200, '{"ConversationID"', True),
]


class TestFaults:
    @pytest.mark.parametrize(("answer", "status", "begins", "taken"), SPOILT)
    def test_spoils_the_answer_to_one_request(self, merchant, answer, status, begins, taken):
        merchant.spoil(on="b2c", answer=answer)

        got = merchant.b2c("p_1")

        said = got.text
        if '"errorCode"' in said:
            said = f"{got.json()['errorCode']} {got.json()['errorMessage']}"
        assert (got.status_code, said[: len(begins)]) == (status, begins)
        assert len(merchant.book()) == taken
        again = merchant.b2c("p_1")
        assert again.status_code == (500 if taken else 200)

    @pytest.mark.parametrize("moved", [False, True])
    def test_resets_the_connection(self, merchant, moved):
        merchant.spoil(on="b2c", answer={"kind": "reset", "moved": moved})

        with pytest.raises(requests.ConnectionError):
            merchant.b2c("p_1")
        assert len(merchant.book()) == moved
        assert merchant.control("GET", "requests", api="b2c")[0]["status"] == 0

    def test_a_body_that_is_cut_off_is_no_json(self, merchant):
        merchant.spoil(on="stk", answer={"kind": "malformed", "moved": True})

        with pytest.raises(json.JSONDecodeError):
            json.loads(merchant.stk().text)
        assert len(merchant.prompts()) == 1

    def test_a_slow_body_is_slow(self, merchant):
        merchant.spoil(on="stk", answer={"kind": "slow-body", "seconds": 0.2})
        began = time.monotonic()

        assert merchant.stk().json()["ResponseCode"] == "0"
        assert time.monotonic() - began >= 0.2

    def test_ends_a_token_in_the_middle(self, merchant):
        merchant.spoil(on="stk", answer={"kind": "token-expired"})

        assert refused(merchant.stk())[1] == "404.001.03"
        assert refused(merchant.stk())[1] == "404.001.03"
        merchant.token = ""
        assert merchant.stk().status_code == 200

    def test_spoils_the_token_too(self, merchant):
        merchant.spoil(preset="html-503", on="oauth")

        assert merchant.login().text.startswith("<html>")
        assert merchant.login().status_code == 200

    def test_is_about_who_and_what_it_says(self, merchant):
        merchant.spoil(on="stk", number=MSISDN, next=2, answer={"kind": "empty"})

        assert merchant.stk(msisdn="254722000000").status_code == 200
        assert merchant.b2c("p_1").status_code == 200
        assert [merchant.stk().status_code for _ in range(3)] == [500, 500, 200]
        assert merchant.control("GET", "faults") == []

    @pytest.mark.parametrize(
        "script",
        [
            {"preset": "unheard-of"},
            {"answer": {"kind": "unheard-of"}},
            {"on": "everything"},
            {"next": 0},
            {"number": "0708374149"},
            {"kind": "reset"},
        ],
    )
    def test_one_that_nobody_knows_is_refused(self, merchant, script):
        answer = requests.post(f"{merchant.url}/daraja/control/faults", json=script, timeout=5)

        assert answer.status_code == 400
        assert answer.json()["error"]

    def test_all_presets_can_be_scripted_and_forgotten(self, merchant):
        names = merchant.control("GET", "presets")
        assert len(names) > 30
        for name in names:
            merchant.spoil(preset=name)
        assert len(merchant.control("GET", "faults")) == len(names)
        merchant.control("DELETE", "faults")
        assert merchant.stk().status_code == 200


WEIGHTS = {"none": 3, "spike": 1, "empty-500-moved": 1, "callback-lost": 1}


class TestWeather:
    def drawn(self, merchant, seed):
        merchant.control("DELETE", "requests")
        merchant.control("PUT", "weather", {"seed": seed, "weights": WEIGHTS})
        for _ in range(40):
            merchant.query("ws_CO_none")
        return [each["status"] for each in merchant.control("GET", "requests", api="query")], [
            each["spoilt"] for each in merchant.control("GET", "requests", api="query")
        ]

    def test_is_the_same_for_the_same_seed(self, merchant):
        merchant.token = merchant.login().json()["access_token"]
        first, again, other = (self.drawn(merchant, seed) for seed in (7, 7, 8))

        assert first == again != other
        assert {"kind": "spike"} in [each.get("answer") for each in first[1]]

    def test_gives_way_to_scripts_and_ends(self, merchant):
        merchant.token = merchant.login().json()["access_token"]
        merchant.control("PUT", "weather", {"seed": 1, "weights": {"spike": 1}})
        assert refused(merchant.stk())[1] == "500.003.02"
        merchant.spoil(preset="none", on="stk")
        assert merchant.stk().status_code == 200
        merchant.control("DELETE", "weather")
        assert merchant.query("ws_CO_none").json()["errorCode"] == "500.001.1001"

    @pytest.mark.parametrize("weather", [{"weights": {"rain": 1}}, {"weights": {"spike": -1}}, {}])
    def test_one_that_nobody_knows_is_refused(self, merchant, weather):
        answer = requests.put(f"{merchant.url}/daraja/control/weather", json=weather, timeout=5)

        assert answer.status_code == 400
