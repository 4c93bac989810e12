"""Webhook calls: nothing lost by who dies, nobody held up by who does not answer."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from programs import Programs, pay

from core import webhook_calls, webhook_ends
from core.outbox import WEBHOOK_TYPES, Event
from core.webhook_ends import Heard
from workers.caller import Caller


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

    def test_who_dies_of_it_again_and_again_has_failed_and_calls_later(self, programs, wanjiru):
        webhook = programs.add()
        pay(wanjiru)
        for _death in range(webhook_calls.INTERRUPTED_MAX):
            with programs.house.databases["worker"].begin() as session:
                [_call] = webhook_calls.claim(
                    session, failing=False, calls_max=5, now=programs.house.clock()
                )
            programs.house.clock.passes(seconds=91)
        programs.call()
        assert programs.came() == []
        [(delivery, tried)] = programs.log(webhook.code)
        assert [each.why for each in tried] == ["interrupted"] * 3 + ["interrupted again and again"]
        assert delivery.state.value == "waiting"
        assert programs.see(webhook.code).failing_since is not None
        programs.house.clock.passes(hours=1)
        programs.call()
        assert programs.states(webhook.code) == ["delivered"]


class TestNobodyIsHeldUp:
    def test_by_one_whose_call_breaks_off(self, programs, wanjiru, amina, monkeypatch):
        """Whatever an answer makes of us is a failure of that call; others are told."""
        broken = programs.add("broken")
        hers = Programs(programs.house, wanjiru)
        other = hers.add("hers")
        pay(wanjiru)
        call = Caller.call

        def breaks(self, *, url, **more):
            if "broken" in url:
                raise OverflowError("an answer that nobody thought of")
            return call(self, url=url, **more)

        monkeypatch.setattr(Caller, "call", breaks)
        programs.call()
        assert hers.states(other.code) == ["delivered"]
        [(delivery, [tried])] = programs.log(broken.code)
        assert (delivery.state.value, tried.why) == ("waiting", "the call broke off on our side")

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
    Event.DEVICE_ADDED, Event.DEVICE_COPIED, Event.LOG_IN_LOCKED, Event.SECOND_FACTOR_SET,
    Event.SECOND_FACTOR_REMOVED, Event.API_KEY_MADE, Event.WEBHOOK_SET,
    Event.ISSUER_LINKED, Event.DEBT_COLLECTED,
}  # fmt: skip


@pytest.mark.parametrize("event", list(Event))
def test_every_outcome_has_a_type(event):
    is_for_people = (
        event in FOR_PEOPLE or event.value.startswith("sms-") or event.category.value == "code"
    )
    assert (event in WEBHOOK_TYPES) != is_for_people, "an event per outcome: say which it is"


@pytest.mark.parametrize("kind", WEBHOOK_TYPES.values())
def test_every_type_is_in_the_docs(kind):
    docs = Path(__file__).parents[2] / "docs" / "webhooks.md"
    assert f"`{kind}`" in docs.read_text()
