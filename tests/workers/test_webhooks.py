"""Webhooks: each outcome told to whoever wants it, signed, until they have it; nobody held up."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from house_under_test import CHEST
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from core import webhook_calls, webhook_deliveries, webhook_ends, webhooks
from core.audit import Actor
from core.outbox import WEBHOOK_TYPES, Event
from core.webhook_deliveries import UnknownDelivery, WebhookDisabled
from core.webhook_ends import BACKOFF, Heard, pause_after
from core.webhooks import TooManyWebhooks, UnknownEventType, UnknownWebhook
from workers.queues import Name

HIS = Actor("+254733000002", "app", "r1")


class Programs:
    """The programs of a shopkeeper, and what he asks of us."""

    def __init__(self, house, shop) -> None:
        self.house, self.msisdn = house, shop.phone.msisdn
        self.secrets = {}

    @property
    def owner(self):
        return self.house.bank.one("SELECT id FROM subscribers WHERE msisdn = :m", m=self.msisdn)

    def add(self, name="till", types=(), path=""):
        url = f"{self.house.country_url}/webhooks/{name}{path}"
        made, secret = self.web(webhooks.add, url=url, description=name, types=types, loopback=True,
                                chest=CHEST, actor=HIS)  # fmt: skip
        self.secrets[name] = secret
        return made

    def web(self, act, **given):
        """Do something as the web does, for the owner."""
        with self.house.databases["web"].begin() as session:
            if "webhook" not in given:
                given["subscriber"] = self.owner
            return act(session, now=self.house.clock(), **given)

    def see(self, code):
        with self.house.databases["web"]() as session:
            return webhooks.find(session, subscriber=self.owner, code=code)

    def log(self, code, state=None):
        with self.house.databases["web"]() as session:
            found = webhook_deliveries.listed(
                session, webhook=self.see(code), count=100, state=state
            )
            return [(each, webhook_deliveries.tried(session, delivery=each)) for each in found]

    def states(self, code):
        return [each.state.value for each, _tried in self.log(code)]

    def fails(self, *faults, name="till"):
        url = f"{self.house.country_url}/webhooks/{name}/faults"
        requests.put(url, json=list(faults), timeout=5).raise_for_status()

    def came(self, name="till"):
        return requests.get(f"{self.house.country_url}/webhooks/{name}", timeout=5).json()

    def call(self):
        """Let the relay ring, and the worker make the calls that are due."""
        self.house.relay.once()
        self.house.work(Name.WEBHOOKS)


@pytest.fixture
def programs(house, wanjiru, otieno):
    return Programs(house, otieno)


def pay(wanjiru, amount="50"):
    """She sends him money, and he is told."""
    wanjiru.phone.dial().types("1", "0733000002", amount, "4071")


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
        assert (seen.state, seen.disabled_why) == (webhooks.State.DISABLED, "gone")
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
        assert programs.see(webhook.code).state is webhooks.State.ACTIVE
        programs.house.clock.passes(hours=1)
        programs.call()
        seen = programs.see(webhook.code)
        assert (seen.state, seen.disabled_why) == (webhooks.State.DISABLED, "failing")
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
        assert programs.see(webhook.code).state is webhooks.State.ACTIVE


class TestDying:
    def test_who_dies_before_recording_is_followed_by_the_same_call(self, programs, wanjiru):
        webhook = programs.add()
        pay(wanjiru)
        with programs.house.databases["worker"].begin() as session:
            [call] = webhook_calls.claim(
                session, failing=False, calls_max=5, now=programs.house.clock()
            )
        requests.post(call.url, data=call.body, headers={"webhook-id": call.code}, timeout=5)
        programs.call()
        assert len(programs.came()) == 1  # it is still that worker's
        programs.house.clock.passes(seconds=91)
        programs.call()
        first, second = programs.came()
        assert first["body"] == second["body"]
        assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
        [(_delivery, [died, made])] = programs.log(webhook.code)
        assert (died.why, died.status, made.status) == ("interrupted", None, 200)

    def test_who_comes_late_changes_nothing(self, programs, wanjiru):
        webhook = programs.add()
        pay(wanjiru)
        with programs.house.databases["worker"].begin() as session:
            [late] = webhook_calls.claim(
                session, failing=False, calls_max=5, now=programs.house.clock()
            )
        programs.house.clock.passes(seconds=91)
        programs.call()
        with programs.house.databases["worker"].begin() as session:
            webhook_ends.record(
                session, call=late, heard=Heard(9, status=500), now=programs.house.clock()
            )
        assert programs.states(webhook.code) == ["delivered"]

    def test_two_workers_at_once_make_each_call_once(self, programs, wanjiru):
        programs.add()
        for amount in range(50, 60):
            programs.house.forget_calls(wanjiru.phone.msisdn)
            pay(wanjiru, str(amount))
        with (
            programs.house.databases["worker"].begin() as one,
            programs.house.databases["worker"].begin() as other,
        ):
            claimed = [
                webhook_calls.claim(session, failing=False, calls_max=9, now=programs.house.clock())
                for session in (one, other)
            ]
        assert [len(each) for each in claimed] == [4, 0]
        with programs.house.databases["worker"].begin() as session:
            again = webhook_calls.claim(
                session, failing=False, calls_max=9, now=programs.house.clock()
            )
        assert again == []  # as many at once as one endpoint may have


class TestNobodyIsHeldUp:
    def test_by_those_that_do_not_answer(self, programs, wanjiru, amina):
        """Five that hang, each with much to be told; another's is told at once."""
        for number in range(5):
            name = f"hangs-{number}"
            programs.add(name)
            programs.fails({"seconds": 3, "next": 100}, name=name)
        for amount in range(50, 54):
            programs.house.forget_calls(wanjiru.phone.msisdn)
            pay(wanjiru, str(amount))
        programs.house.bank.run(
            "UPDATE webhook_endpoints SET failing_since = :now, failures = 1",
            now=programs.house.clock(),
        )
        hers = Programs(programs.house, wanjiru)
        hers.add("hers")
        programs.house.forget_calls(wanjiru.phone.msisdn)
        begun = time.time()
        pay(wanjiru, "60")
        programs.call()
        [letter] = hers.came("hers")
        assert letter["at"] - begun < 1
        assert all(len(programs.came(f"hangs-{number}")) <= 2 for number in range(5))

    def test_nor_by_one_that_has_much_to_hear(self, programs, wanjiru):
        programs.add("much")
        few = programs.add("few", types=["transfer.received"])
        programs.house.bank.run(
            "INSERT INTO webhook_deliveries"
            " (code, endpoint_id, type, body, state, staged_at, due_at)"
            " SELECT 'msg_' || n, id, 'webhook.test', '{}', 'waiting', :old, :old"
            " FROM webhook_endpoints, generate_series(1, 500) AS n WHERE description = 'much'",
            old=programs.house.clock() - timedelta(hours=1),
        )
        pay(wanjiru)
        with programs.house.databases["worker"].begin() as session:
            calls = webhook_calls.claim(
                session, failing=False, calls_max=3, now=programs.house.clock()
            )
        assert few.id in {call.endpoint for call in calls}


class TestItsOwner:
    def test_replays_one_thing_under_the_same_id(self, programs, wanjiru):
        webhook = programs.add()
        pay(wanjiru)
        programs.call()
        [(delivery, _tried)] = programs.log(webhook.code)
        again = programs.web(
            webhook_deliveries.replay, webhook=programs.see(webhook.code), code=delivery.code
        )
        assert again.state.value == "waiting"
        programs.call()
        first, second = programs.came()
        assert (first["body"], first["headers"]["webhook-id"]) == (
            second["body"],
            second["headers"]["webhook-id"],
        )
        [(_delivery, tried)] = programs.log(webhook.code)
        assert [each.number for each in tried] == [1, 2]

    def test_turned_off_it_misses_nothing_that_cannot_be_replayed(self, programs, wanjiru):
        webhook = programs.add()
        programs.web(webhooks.change, code=webhook.code, is_active=False, loopback=True, actor=HIS)
        off_at = programs.house.clock()
        pay(wanjiru)
        programs.house.clock.passes(hours=1)
        programs.house.forget_calls(wanjiru.phone.msisdn)
        pay(wanjiru, "60")
        programs.call()
        assert (programs.came(), programs.states(webhook.code)) == ([], ["missed", "missed"])
        with pytest.raises(WebhookDisabled):
            self.replay(programs, webhook, since=off_at)
        programs.web(webhooks.change, code=webhook.code, is_active=True, loopback=True, actor=HIS)
        programs.call()
        assert programs.came() == []
        assert self.replay(programs, webhook, since=off_at + timedelta(minutes=1)) == 1
        assert self.replay(programs, webhook, since=off_at) == 1
        programs.call()
        assert len(programs.came()) == 2
        assert self.replay(programs, webhook, since=off_at) == 0
        assert self.replay(programs, webhook, since=off_at, delivered_too=True) == 2

    def replay(self, programs, webhook, *, since, delivered_too=False):
        return programs.web(
            webhook_deliveries.replay_since,
            webhook=programs.see(webhook.code),
            since=since,
            delivered_too=delivered_too,
        )

    def test_a_replay_is_tried_for_three_days_again(self, programs, wanjiru):
        webhook = programs.add()
        pay(wanjiru)
        programs.call()
        programs.house.clock.passes(days=5)
        [(delivery, _tried)] = programs.log(webhook.code)
        programs.web(
            webhook_deliveries.replay, webhook=programs.see(webhook.code), code=delivery.code
        )
        programs.fails({"status": 500})
        programs.call()
        [(delivery, _tried)] = programs.log(webhook.code)
        assert delivery.state.value == "waiting"
        assert delivery.due_at - programs.house.clock() == pause_after(1, 1)

    def test_tests_it(self, programs):
        webhook = programs.add(types=["payment.received"])
        programs.web(webhook_deliveries.test, webhook=programs.see(webhook.code))
        programs.call()
        [letter] = programs.came()
        assert json.loads(letter["body"])["type"] == "webhook.test"

    def test_has_five_at_most_and_removes_what_is_not_wanted(self, programs, wanjiru):
        made = [programs.add(f"n{number}") for number in range(5)]
        with pytest.raises(TooManyWebhooks):
            programs.add("n5")
        programs.web(webhooks.remove, code=made[0].code, actor=HIS)
        programs.add("another")
        pay(wanjiru)
        programs.call()
        assert programs.came("n0") == []
        assert len(programs.came("another")) == 1
        with pytest.raises(UnknownWebhook):
            programs.see(made[0].code)

    def test_sees_and_changes_nobody_elses(self, programs, wanjiru):
        webhook = programs.add()
        pay(wanjiru)
        [(delivery, _tried)] = programs.log(webhook.code)
        hers = Programs(programs.house, wanjiru)
        own = hers.add("hers")
        for act in (webhooks.remove, webhooks.change, webhooks.rotate):
            more = {webhooks.change: {"loopback": True}, webhooks.rotate: {"chest": CHEST}}
            with pytest.raises(UnknownWebhook):
                hers.web(act, code=webhook.code, actor=HIS, **more.get(act, {}))
        with pytest.raises(UnknownDelivery):
            hers.web(webhook_deliveries.replay, webhook=own, code=delivery.code)

    def test_cannot_want_what_there_is_not(self, programs):
        with pytest.raises(UnknownEventType):
            programs.add(types=["otp.issued"])

    def test_has_each_change_in_the_audit_log_without_a_secret(self, programs):
        webhook = programs.add()
        programs.web(webhooks.rotate, code=webhook.code, chest=CHEST, actor=HIS)
        programs.web(webhooks.change, code=webhook.code, is_active=False, loopback=True, actor=HIS)
        programs.web(webhooks.remove, code=webhook.code, actor=HIS)
        rows = programs.house.bank.rows(
            "SELECT action, detail::text FROM audit_log WHERE subject = :s ORDER BY id",
            s=f"webhook:{webhook.code}",
        )
        assert [action for action, _detail in rows] == [
            "webhook-added", "webhook-rotated", "webhook-changed", "webhook-removed"
        ]  # fmt: skip
        assert "whsec" not in str(rows)


def test_what_ended_a_month_ago_is_forgotten(programs, wanjiru):
    webhook = programs.add()
    pay(wanjiru)
    programs.call()
    for days, left in ((29, 1), (2, 0)):
        programs.house.clock.passes(days=days)
        with programs.house.databases["worker"].begin() as session:
            webhook_calls.clear(session, now=programs.house.clock())
        assert len(programs.log(webhook.code)) == left
    assert programs.house.bank.one("SELECT count(*) FROM webhook_attempts") == 0


# What is told to people alone: their account, their words, and what is news.
FOR_PEOPLE = {
    Event.REGISTERED, Event.TIER_SET, Event.PIN_CHANGED, Event.PIN_LOCKED, Event.RECOVERY_LOCKED,
    Event.NAME_CHANGED, Event.ACCOUNT_CLOSED, Event.ANNOUNCED, Event.WEBHOOK_DISABLED,
}  # fmt: skip


@pytest.mark.parametrize("event", list(Event))
def test_every_outcome_has_a_type_and_is_documented(event):
    is_for_people = (
        event in FOR_PEOPLE or event.value.startswith("sms-") or event.category.value == "code"
    )
    assert (event in WEBHOOK_TYPES) != is_for_people, "an event per outcome: say which it is"
