"""Two processes of the web: each remembers what it answered, and that may be out of date."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError
from turns import DIAL_AGAIN, SESSION, elsewhere, hop

from menus import turn_scripts
from menus.sessions import HOPS_MAX, Dial, Overtaken, Said, Turn


@pytest.fixture
def other(house):
    """Another process of the web, as it is heard: one text after another."""
    conversation = elsewhere(house)

    def other(text, *, session=SESSION, msisdn="+254712000001"):
        return conversation.hear(Dial(session, msisdn, "*384#", text)).body

    return other


def test_hops_that_go_now_to_one_and_now_to_the_other_are_one_session(house, wanjiru, other):
    walks, both = random.Random(7), (partial(hop, house), other)
    for number in range(30):
        session, text, said = f"ATUid_{number:032x}", "", []
        alone = f"ATUid_{number + 1000:032x}"
        for _ in range(12):
            hears = walks.choice(both)
            said.append((text, hears(text, session=session)))
            if walks.random() < 0.2:  # and it is repeated, to either
                again = walks.choice(both)
                assert again(text, session=session) == said[-1][1]
            answer = walks.choice(("0", "1", "2", "4", "5", "00", "98", "x"))
            text = f"{text}*{answer}" if text else answer
            if said[-1][1].startswith("END"):
                break
        house.forget_calls("+254712000001")
        house.forget_turns()
        assert said == [(each, hop(house, each, session=alone)) for each, _ in said]
        house.forget_calls("+254712000001")


def test_what_one_remembers_gives_way_to_what_the_other_answered(house, wanjiru, other):
    hop(house, "")
    hop(house, "3")
    pin = other("3*1")
    assert hop(house, "3*1") == pin
    assert other("3*1*0").startswith("CON My account")
    assert hop(house, "3*1*0*0").startswith("CON Kabambe. Balance")


def test_a_late_repeat_at_the_other_rewinds_nothing(house, wanjiru, other):
    hop(house, "")
    account = other("3")
    other("3*1")
    assert hop(house, "3") == account
    assert house.redis.hget(f"kabambe:ussd:{SESSION}", "heard") == b"3"
    assert other("3*1*0") == account


def test_a_pin_is_tried_once_though_both_hear_it(house, wanjiru, otieno, other):
    for text in ("", "1", "1*0733000002", "1*0733000002*500"):
        hop(house, text)
    refused = other("1*0733000002*500*9999")
    assert refused.startswith("CON Wrong PIN")
    assert hop(house, "1*0733000002*500*9999") == refused
    assert house.bank.one("SELECT sum(wrong_tries) FROM pins") == 1


def test_while_one_has_the_turn_the_other_does_not_go_on(house, wanjiru, other):
    """Not even to navigate, which would be answered twice and differently."""
    hop(house, "")
    sessions = house.conversation.sessions
    dial = Dial(SESSION, "+254712000001", "*384#", "3")
    recalled = sessions.recall(dial)
    assert elsewhere(house).sessions.open(dial).turn is Turn.NEXT
    said = Said("CON mine", "account.Account")
    with pytest.raises(Overtaken):
        sessions.commit(dial, recalled, said=said, state={})
    with pytest.raises(Overtaken):
        sessions.claim(dial, recalled)


def test_what_is_remembered_is_claimed_as_it_is(house, wanjiru):
    hop(house, "")
    sessions = house.conversation.sessions
    dial = Dial(SESSION, "+254712000001", "*384#", "3")
    recalled = sessions.recall(dial)
    claimed = sessions.claim(dial, recalled)
    assert claimed == replace(recalled, before=None)
    assert elsewhere(house).sessions.open(dial).turn is Turn.PENDING


@pytest.mark.parametrize(
    "dial",
    [
        Dial(SESSION, "+254733000002", "*384#", "3"),
        Dial(SESSION, "+254712000001", "*385#", "3"),
        Dial(SESSION, "+254712000001", "*384#", "3*1"),
        Dial(SESSION, "+254712000001", "*384#", ""),
        Dial("ATUid_other", "+254712000001", "*384#", "3"),
    ],
)
def test_nothing_else_is_recalled(house, wanjiru, dial):
    hop(house, "")
    assert house.conversation.sessions.recall(dial) is None


def test_a_turn_is_recalled_once(house, wanjiru):
    hop(house, "")
    dial = Dial(SESSION, "+254712000001", "*384#", "3")
    assert house.conversation.sessions.recall(dial) is not None
    assert house.conversation.sessions.recall(dial) is None


def test_of_a_session_that_has_ended_nothing_is_remembered(house, wanjiru):
    for text in ("", "x", "x*x"):
        hop(house, text)
    assert hop(house, "x*x*x").startswith("END We did not understand you 3 times.")
    dial = Dial(SESSION, "+254712000001", "*384#", "x*x*x*1")
    assert house.conversation.sessions.recall(dial) is None


class TestLostAnswers:
    """Redis did what it was asked, and that was not heard."""

    @pytest.fixture
    def loses(self, house, monkeypatch):
        """Let a script's answer be lost once: it is run, and then run again, or given up."""

        def loses(script, *, is_tried_again):
            scripts = house.conversation.sessions._scripts

            def call(asked, keys, args, deadline, call=scripts.call):
                said = call(asked, keys, args, deadline)
                if asked is not script or lost:
                    return said
                lost.append(said)
                if not is_tried_again:
                    raise RedisTimeoutError
                return call(asked, keys, args, deadline)

            lost = []
            monkeypatch.setattr(scripts, "call", call)
            return lost

        return loses

    def test_going_on_is_tried_again_and_done_once(self, house, wanjiru, loses):
        hop(house, "")
        lost = loses(turn_scripts.GO_ON, is_tried_again=True)
        assert hop(house, "3").startswith("CON My account")
        assert (lost, house.redis.hget(f"kabambe:ussd:{SESSION}", "hops")) == ([None], b"2")
        assert hop(house, "3*0").startswith("CON Kabambe. Balance")

    def test_going_on_is_given_up_and_asked_for_again(self, house, wanjiru, loses):
        hop(house, "")
        lost = loses(turn_scripts.GO_ON, is_tried_again=False)
        assert hop(house, "3").startswith("END Sorry, please try again shortly.")
        assert lost == [None]
        assert hop(house, "3").startswith("CON My account")

    def test_a_claim_is_tried_again_and_is_ours(self, house, wanjiru, otieno, loses):
        hop(house, "")
        hop(house, "1")
        lost = loses(turn_scripts.OPEN, is_tried_again=True)
        assert hop(house, "1*0733000002").startswith("CON To Otieno")
        assert lost[0][0] == b"next"

    def test_a_claim_is_given_up_and_nothing_was_done(self, house, wanjiru, otieno, loses):
        for text in ("", "1", "1*0733000002", "1*0733000002*50"):
            hop(house, text)
        lost = loses(turn_scripts.OPEN, is_tried_again=False)
        said = hop(house, "1*0733000002*50*4071")
        assert said.startswith("END Sorry, please try again shortly.")
        assert lost[0][0] == b"next"
        assert house.bank.one("SELECT count(*) FROM orders") == 0

    def test_what_was_claimed_and_is_otherwise_is_begun_anew_at_once(self, house, wanjiru, otieno):
        hop(house, "")
        hop(house, "1")
        key = f"kabambe:ussd:{SESSION}"
        state = house.redis.hget(key, "state").replace(b"send.Recipient", b"send.Whom")
        house.redis.hset(key, "state", state)
        assert hop(house, "1*0733000002").startswith("CON Our menu has changed.")


def test_only_the_newest_are_remembered(house, wanjiru, monkeypatch):
    monkeypatch.setattr("menus.memories.MEMORIES_MAX", 2)
    for number in range(3):
        hop(house, "", session=f"ATUid_{number}")
    recall = house.conversation.sessions.recall
    dials = [Dial(f"ATUid_{number}", "+254712000001", "*384#", "3") for number in range(3)]
    assert [recall(dial) is not None for dial in dials] == [False, True, True]


@pytest.mark.parametrize("remembers", [True, False])
def test_a_hundred_hops_are_the_most_however_they_are_answered(house, wanjiru, remembers):
    answers = ["", *(("4", "0") * HOPS_MAX)]
    for number in range(HOPS_MAX + 1):
        if not remembers:
            house.forget_turns()
        said = hop(house, "*".join(answers[: number + 1]).removeprefix("*"))
        assert (said == DIAL_AGAIN) == (number == HOPS_MAX), number
