"""What the owner of a webhook may do: see, replay, turn off and on, remove."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from house_parts import CHEST
from programs import HIS, Programs, pay

from core import webhook_deliveries, webhooks
from core.webhook_deliveries import UnknownDelivery, WebhookDisabled
from core.webhook_ends import pause_after
from core.webhooks import TooManyWebhooks, UnknownEventType, UnknownWebhook


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
