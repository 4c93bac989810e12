"""Webhooks: each outcome told to whoever wants it, signed, until they have it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from house_parts import CHEST
from programs import HIS, Programs, pay
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from core import webhook_ends, webhooks
from core.outbox import WEBHOOK_TYPES
from core.webhook_ends import BACKOFF, Heard, pause_after


class TestWhatIsTold:
    def test_an_outcome_is_told_as_it_is_staged_and_signed_as_the_standard_has_it(
        self, programs, wanjiru
    ):
        programs.house.clock.now = datetime.now(UTC)  # the verifier has a clock of its own
        programs.add()
        pay(wanjiru)
        programs.call()
        [letter] = programs.came()
        said = Verifier(programs.secrets["till"]).verify(letter["body"], letter["headers"])
        assert said["type"] == "transfer.received"
        assert said["data"] | {"at": "", "reference": ""} == {
            "reference": "",
            "amount": {"value": "50.00", "currency": "KES"},
            "fee": {"value": "0.00", "currency": "KES"},
            "balance": {"value": "50.00", "currency": "KES"},
            "at": "",
            "counterpart": {"name": "Wanjiru", "phone": "0712***001"},
        }
        assert said["data"]["reference"].startswith("T")
        assert datetime.fromisoformat(said["timestamp"]).tzinfo is not None
        assert letter["headers"]["content-type"] == "application/json"

    def test_another_body_another_id_and_another_secret_do_not_verify(self, programs, wanjiru):
        programs.house.clock.now = datetime.now(UTC)
        programs.add()
        pay(wanjiru)
        programs.call()
        [letter] = programs.came()
        right = Verifier(programs.secrets["till"])
        for verifier, body, headers in (
            (right, letter["body"].replace("50.00", "90.00"), letter["headers"]),
            (right, letter["body"], letter["headers"] | {"webhook-id": "msg_other"}),
            (Verifier("whsec_" + "A" * 43 + "="), letter["body"], letter["headers"]),
        ):
            with pytest.raises(WebhookVerificationError):
                verifier.verify(body, headers)

    def test_only_what_is_wanted_is_told_and_only_to_whose_money_it_is(self, programs, wanjiru):
        wants = programs.add("wants", types=["transfer.received"])
        does_not = programs.add("does-not", types=["payment.received"])
        hers = Programs(programs.house, wanjiru)
        hers.add("hers")
        pay(wanjiru)
        programs.call()
        assert [json.loads(each["body"])["type"] for each in programs.came("wants")] == [
            "transfer.received"
        ]
        assert programs.came("does-not") == []
        assert [json.loads(each["body"])["type"] for each in programs.came("hers")] == [
            "transfer.sent"
        ]
        assert (programs.states(wants.code), programs.states(does_not.code)) == (["delivered"], [])

    def test_a_refusal_is_an_outcome_too_and_says_why(self, programs, wanjiru):
        hers = Programs(programs.house, wanjiru)
        hers.add("hers")
        programs.house.workers_are_there = False
        pay(wanjiru, "1,200")
        programs.house.forget_calls(wanjiru.phone.msisdn)
        pay(wanjiru, "1,000")
        programs.house.workers_are_there = True
        programs.house.ring()
        programs.call()
        said = {json.loads(each["body"])["type"]: each["body"] for each in programs.came("hers")}
        assert set(said) == {"transfer.sent", "transfer.refused"}
        refused = json.loads(said["transfer.refused"])
        assert refused["data"]["refusal"] | {"requested": None} == {
            "code": "insufficient-funds",
            "title": "The account does not hold enough money.",
            "available": {"value": "38.00", "currency": "KES"},
            "requested": None,
        }

    def test_what_is_undone_is_told_to_nobody(self, programs, wanjiru, otieno):
        webhook = programs.add()
        with programs.house.databases["worker"]() as session:
            session.execute(
                text(
                    "INSERT INTO outbox"
                    " (event, msisdn, language, facts, staged_at, ring_at, webhook_type) VALUES"
                    " ('transfer-received', :to, 'en', '{}', now(), now(), 'transfer.received')"
                ),
                {"to": otieno.phone.msisdn},
            )
            assert session.scalar(text("SELECT count(*) FROM webhook_deliveries")) == 1
        assert programs.states(webhook.code) == []

    def test_no_code_and_no_number_of_anybody_goes_out(self, programs, wanjiru):
        programs.add()
        pay(wanjiru)
        programs.call()
        [letter] = programs.came()
        assert "254712000001" not in letter["body"]
        assert "journal" not in letter["body"]
        assert not {event for event in WEBHOOK_TYPES if event.category.value == "code"}

    def test_a_secret_is_shown_once_and_the_web_cannot_read_it_again(self, programs):
        programs.add()
        kept = programs.house.bank.one("SELECT secret FROM webhook_endpoints")
        assert programs.secrets["till"] not in kept
        with (
            programs.house.databases["web"]() as session,
            pytest.raises(Exception, match="permission denied"),
        ):
            session.execute(text("SELECT secret FROM webhook_endpoints"))

    def test_for_a_day_both_secrets_sign(self, programs, wanjiru):
        programs.house.clock.now = datetime.now(UTC)
        webhook = programs.add()
        secret, until = programs.web(webhooks.rotate, code=webhook.code, chest=CHEST, actor=HIS)
        assert until == programs.house.clock() + timedelta(hours=24)
        pay(wanjiru)
        programs.call()
        [letter] = programs.came()
        assert letter["headers"]["webhook-signature"].count("v1,") == 2
        for each in (secret, programs.secrets["till"]):
            Verifier(each).verify(letter["body"], letter["headers"])
        programs.house.bank.run("UPDATE webhook_endpoints SET secret_before_until = :now", now=until
                                - timedelta(hours=25))  # fmt: skip
        programs.house.forget_calls(wanjiru.phone.msisdn)
        pay(wanjiru, "60")
        programs.call()
        letter = programs.came()[-1]
        Verifier(secret).verify(letter["body"], letter["headers"])
        with pytest.raises(WebhookVerificationError):
            Verifier(programs.secrets["till"]).verify(letter["body"], letter["headers"])


class TestFailing:
    @pytest.mark.parametrize(
        ("fault", "status"),
        [
            ({"status": 500}, 500),
            ({"status": 400}, 400),
            ({"status": 404}, 404),
            ({"status": 302, "headers": {"Location": "/webhooks/elsewhere"}}, 302),
            ({"status": 307, "headers": {"Location": "/webhooks/elsewhere"}}, 307),
            ({"cut": "before"}, None),
            ({"seconds": 1.2}, None),
        ],
    )
    def test_what_is_not_taken_is_tried_again_with_the_same_id_and_body(
        self, programs, wanjiru, fault, status
    ):
        webhook = programs.add()
        programs.fails(fault)
        pay(wanjiru)
        programs.call()
        [(delivery, [attempt])] = programs.log(webhook.code)
        assert (delivery.state.value, attempt.status) == ("waiting", status)
        assert attempt.duration_ms is not None
        assert (attempt.why is None) == (status is not None)
        programs.call()
        assert len(programs.came()) == 1  # not before its time
        programs.house.clock.passes(seconds=6)
        programs.call()
        first, second = programs.came()
        assert first["body"] == second["body"]
        assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"] == delivery.code
        assert first["headers"]["webhook-timestamp"] != second["headers"]["webhook-timestamp"]
        assert programs.states(webhook.code) == ["delivered"]
        assert programs.came("elsewhere") == []  # nobody is sent on

    @pytest.mark.parametrize(
        "fault", [{"cut": "inside"}, {"body": "slow", "drip": 0.5}, {"endless": True}]
    )
    def test_whoever_said_that_they_have_it_has_it_whatever_they_say_then(
        self, programs, wanjiru, fault
    ):
        webhook = programs.add()
        programs.fails(fault)
        pay(wanjiru)
        begun = time.monotonic()
        programs.call()
        assert time.monotonic() - begun < 5
        assert programs.states(webhook.code) == ["delivered"]

    def test_a_piece_of_the_answer_is_kept(self, programs, wanjiru):
        webhook = programs.add()
        programs.fails({"status": 500, "body": "No \x00 shelf\u2028" + "x" * 5000})
        pay(wanjiru)
        programs.call()
        [(_delivery, [attempt])] = programs.log(webhook.code)
        assert attempt.answer.startswith("No \ufffd shelf")
        assert len(attempt.answer) == 500

    def test_the_pauses_grow_over_three_days_and_then_it_is_given_up(self, programs, wanjiru):
        webhook = programs.add(types=["transfer.received"])
        programs.fails({"status": 500, "next": 100})
        pay(wanjiru)
        begun, pauses = programs.house.clock(), []
        for _ in range(40):
            programs.call()
            due = programs.house.bank.one(
                "SELECT due_at FROM webhook_deliveries WHERE state = 'waiting'"
            )
            if due is None:
                break
            pauses.append(due - programs.house.clock())
            programs.house.clock.now = due
        assert pauses[:-1] == [pause_after(1, tries) for tries in range(1, len(pauses))]
        assert [pause < each * 1.1 for pause, each in zip(pauses, BACKOFF, strict=False)]
        assert programs.house.clock() - begun == timedelta(days=3)
        assert len(programs.came()) == len(pauses) + 1 == 14
        assert programs.states(webhook.code) == ["missed"]  # and with it all of the endpoint

    def test_what_failed_together_does_not_come_back_together(self):
        assert len({pause_after(delivery, 4) for delivery in range(50)}) == 50
        assert max(pause_after(delivery, 1) for delivery in range(100)) <= timedelta(seconds=5.5)

    @pytest.mark.parametrize("status", [429, 503])
    def test_who_asks_to_be_left_alone_is(self, programs, wanjiru, status):
        webhook = programs.add()
        programs.fails({"status": status, "headers": {"Retry-After": "600"}})
        pay(wanjiru)
        programs.call()
        programs.house.clock.passes(seconds=590)
        pay(wanjiru, "60")
        programs.call()
        assert len(programs.came()) == 1
        programs.house.clock.passes(seconds=11)
        programs.call()
        assert programs.states(webhook.code) == ["delivered", "delivered"]

    def test_but_not_for_ever_nor_by_any_answer(self):
        asked = webhook_ends._asked
        week = timedelta(days=7)
        assert asked(Heard(1, status=429, retry_after=week)) == timedelta(hours=12)
        assert asked(Heard(1, status=500, retry_after=week)) == timedelta(0)

    def test_gone_is_gone_at_once_and_its_owner_is_told(self, programs, wanjiru):
        webhook = programs.add()
        programs.fails({"status": 410})
        pay(wanjiru)
        programs.call()
        seen = programs.see(webhook.code)
        assert (seen.state, seen.disabled_why) == (webhooks.EndpointState.DISABLED, "gone")
        told = [each["message"] for each in programs.house.messages(programs.msisdn)]
        assert any("your webhook at 127.0.0.1 no more: it said that it is gone" in each
                   for each in told)  # fmt: skip
        programs.house.clock.passes(days=1)
        pay(wanjiru, "60")
        programs.call()
        assert len(programs.came()) == 1
        assert programs.states(webhook.code) == ["missed", "missed"]

    def test_after_three_days_of_nothing_but_failure_it_is_turned_off(self, programs, wanjiru):
        webhook = programs.add()
        programs.fails({"status": 500, "next": 100})
        pay(wanjiru)
        programs.call()
        programs.house.clock.passes(days=2, hours=23)
        programs.call()
        assert programs.see(webhook.code).state is webhooks.EndpointState.ACTIVE
        programs.house.clock.passes(hours=1)
        programs.call()
        seen = programs.see(webhook.code)
        assert (seen.state, seen.disabled_why) == (webhooks.EndpointState.DISABLED, "failing")
        told = [each["message"] for each in programs.house.messages(programs.msisdn)]
        assert sum("it has failed for 3 days" in each for each in told) == 1

    def test_one_success_and_it_begins_anew(self, programs, wanjiru):
        webhook = programs.add()
        programs.fails({"status": 500, "next": 2}, {"status": 204}, {"status": 500, "next": 100})
        pay(wanjiru)
        programs.call()
        programs.house.clock.passes(days=2)
        programs.call()
        programs.house.clock.passes(hours=14)
        programs.call()
        assert programs.states(webhook.code) == ["delivered"]
        assert programs.see(webhook.code).failing_since is None
        programs.house.clock.passes(hours=14)
        pay(wanjiru, "60")
        programs.call()
        programs.house.clock.passes(hours=14)
        programs.call()
        assert programs.see(webhook.code).state is webhooks.EndpointState.ACTIVE
