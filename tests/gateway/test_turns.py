"""The turn protocol: whatever the network repeats, reorders or sends at once."""

from __future__ import annotations

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from processes import until, worker
from turns import DIAL_AGAIN, SESSION, elsewhere, hop

from core.money import kes
from menus.sessions import Dial, Said, Turn

CONFIRMED = (
    "END Sent KES",
    "END Umetuma KES",
    "END Your request to send KES",
    "END Ombi lako la kutuma KES",
)


def test_the_first_hop_twice_is_one_beginning(house, wanjiru):
    assert hop(house, "") == hop(house, "")


def test_the_same_choice_twice_is_not_a_repeat(house, wanjiru):
    help_, sending = hop(house, "") and hop(house, "4"), hop(house, "4*1")
    assert help_.startswith("CON Help")
    assert sending.startswith("CON Choose 1, type the number")


def test_a_late_repeat_of_an_old_hop_gets_its_old_answer_and_rewinds_nothing(house, wanjiru):
    home = hop(house, "")
    account = hop(house, "3")
    pin = hop(house, "3*1")
    assert hop(house, "") == home
    assert hop(house, "3") == account
    assert hop(house, "3*1") == pin
    assert hop(house, "3*1*0") == account


def test_an_old_hop_nobody_answered_gets_what_is_on_the_screen(house, wanjiru):
    hop(house, "")
    screen = hop(house, "3*1")  # the hop before it has not come yet
    assert screen.startswith("CON That is not on the menu.")
    assert hop(house, "3") == screen
    account = hop(house, "3*1*3")
    assert account.startswith("CON My account")
    assert hop(house, "3") == screen


def test_a_text_that_does_not_continue_what_was_heard_is_refused(house, wanjiru):
    hop(house, "")
    hop(house, "3")
    assert hop(house, "4*1") == DIAL_AGAIN
    hop(house, "3*0")
    assert hop(house, "4*1*1") == DIAL_AGAIN
    assert hop(house, "4*1*1") == DIAL_AGAIN


def test_a_session_belongs_to_one_number_and_one_service_code(house, wanjiru, otieno):
    hop(house, "")
    assert hop(house, "1", msisdn="+254733000002") == DIAL_AGAIN
    assert hop(house, "1", code="*385#") == DIAL_AGAIN
    assert hop(house, "1").startswith("CON Send money to")


def test_after_the_end_there_is_nothing(house, wanjiru, otieno):
    hop(house, "")
    for text in ("1", "1*0733000002", "1*0733000002*50"):
        hop(house, text)
    end = hop(house, "1*0733000002*50*4071")
    assert end.startswith("END Sent KES 50.00")
    assert hop(house, "1*0733000002*50*4071*1").startswith("END This session has ended.")
    assert hop(house, "1*0733000002*50*4071") == end
    assert otieno.balance == kes(50_00)


def test_only_one_of_two_hops_at_once_has_the_turn(house):
    sessions = house.conversation.sessions
    dial = Dial(SESSION, "+254712000001", "*384#", "")
    mine = sessions.open(dial)
    assert mine.turn is Turn.NEW
    assert sessions.open(dial).turn is Turn.PENDING
    one = Said("CON one", "home.Home")
    assert sessions.commit(dial, mine, said=one, state={}) == one
    assert sessions.open(dial).turn is Turn.REPLAY


def test_who_lost_the_turn_gives_the_answer_of_who_has_it(house):
    sessions = house.conversation.sessions
    dial = Dial(SESSION, "+254712000001", "*384#", "")
    slow = sessions.open(dial)
    house.redis.hset(f"kabambe:ussd:{SESSION}", "until", 0)  # its lease has run out
    quick = sessions.open(dial)
    assert quick.turn is Turn.NEW
    said = Said("CON quick", "home.Home")
    sessions.commit(dial, quick, said=said, state={})
    late = Said("CON slow", "home.Home")
    assert sessions.commit(dial, slow, said=late, state={}) == said


def test_dialled_ahead_walks_to_the_pin_and_no_further(house, wanjiru, otieno):
    screen = hop(house, "1*0733000002*500*4071")
    assert screen.startswith("CON Send KES 500.00 to Otieno")
    assert otieno.balance == kes(0)
    done = hop(house, "1*0733000002*500*4071*4071")
    assert done.startswith("END Sent KES 500.00 to Otieno.")


def test_dialled_ahead_stops_at_what_is_refused(house, wanjiru, otieno):
    assert hop(house, "1*0733000002*9000*4071").startswith("CON You have KES 1,250.00.")


def test_dialled_ahead_does_not_accept_terms_nor_choose_a_pin(house):
    screen = hop(house, "1*Njeri*4071*4071*1", msisdn="+254720000009")
    assert screen.startswith("CON Njeri, choose a PIN")
    assert house.bank.one("SELECT count(*) FROM subscribers") == 0


def test_redis_emptied_between_hops_is_a_fresh_start(house, wanjiru, otieno):
    for text in ("", "1", "1*0733000002", "1*0733000002*500"):
        hop(house, text)
    house.redis.flushdb()
    screen = hop(house, "1*0733000002*500*4071")
    assert screen.startswith("CON Send KES 500.00 to Otieno")  # the PIN counts only when live
    assert otieno.balance == kes(0)
    assert hop(house, "1*0733000002*500*4071*4071").startswith("END Sent KES 500.00")
    assert otieno.balance == kes(500_00)


def test_redis_emptied_after_the_order_says_what_became_of_it(house, wanjiru, otieno):
    for text in ("", "1", "1*0733000002", "1*0733000002*500", "1*0733000002*500*4071"):
        hop(house, text)
    house.redis.flushdb()
    assert hop(house, "1*0733000002*500*4071").startswith("END Your request was done. Ref T")
    assert hop(house, "1*0733000002*500*4071*4071").startswith("END")
    assert otieno.balance == kes(500_00)


def test_an_order_is_told_to_nobody_but_its_owner(house, wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    house.redis.flushdb()
    otieno.phone.session_id, otieno.phone.text = wanjiru.phone.session_id, "1*0712000001"
    otieno.phone._hop("(the same session, another number)")
    assert "REF" not in otieno.phone.screen
    assert "Amount in KES" in otieno.phone.screen


def test_old_hops_do_not_fill_redis(house, wanjiru):
    wanjiru.phone.dial().types("1")
    key = f"kabambe:ussd:{wanjiru.phone.session_id}"
    for number in range(300):
        wanjiru.phone.text = str(number % 9) if number < 9 else ""
        house.client.post(
            "/ussd/africastalking/sandbox",
            data={
                "sessionId": wanjiru.phone.session_id,
                "serviceCode": "*384#",
                "phoneNumber": wanjiru.phone.msisdn,
                "text": chr(ord("a") + number % 26),
            },
        )
    assert house.redis.hlen(key) < 120


def test_a_screen_that_a_deploy_renamed_is_a_fresh_start(house, wanjiru):
    hop(house, "")
    hop(house, "3")
    key = f"kabambe:ussd:{SESSION}"
    state = house.redis.hget(key, "state").replace(b"account.Account", b"account.Profile")
    house.redis.hset(key, "state", state)
    house.forget_turns()
    screen = hop(house, "3*1")
    assert screen.startswith("CON Our menu has changed. Please choose again.\nKabambe. Balance")


def test_neither_text_nor_pin_is_kept_in_redis(house, wanjiru, otieno):
    """A registration and a transfer; then every key and value of Redis is searched."""
    pin = "5823"
    texts = ["", "1", "1*Njeri", f"1*Njeri*{pin}", f"1*Njeri*{pin}*{pin}"]
    for text in texts:
        hop(house, text, session="ATUid_register", msisdn="+254720000009")
    for text in ("", "1", "1*0733000002", "1*0733000002*700", "1*0733000002*700*4071"):
        hop(house, text)
    kept = []
    for key in house.redis.scan_iter():
        kept.append(key)
        match house.redis.type(key):
            case b"hash":
                kept += [part for pair in house.redis.hgetall(key).items() for part in pair]
            case b"string":
                kept.append(house.redis.get(key))
            case b"list":
                kept += house.redis.lrange(key, 0, -1)
    everything = b"\n".join(kept)
    assert b"Njeri" in everything
    assert pin.encode() not in everything
    assert b"4071" not in everything
    assert b"argon2" not in everything


def test_a_thousand_sessions_with_doubled_parallel_and_reordered_hops(house):
    """No order is executed twice, and every repeat is answered byte for byte the same."""
    house.clock.now = datetime.now(UTC)
    house.worker_is_elsewhere = True
    other = elsewhere(house)
    people = [f"+2547121{number:05}" for number in range(40)]
    for number, msisdn in enumerate(people):
        house.register(msisdn, name="Person", balance="100,000", language=("en", "sw")[number % 2])
    chance = random.Random(2026)
    answers: dict[tuple[str, str], set[str]] = defaultdict(set)

    def hear(text: str, *, session: str, msisdn: str) -> str:
        """By either of two processes."""
        if chance.random() < 0.5:
            return hop(house, text, session=session, msisdn=msisdn)
        return other.hear(Dial(session, msisdn, "*384#", text)).body

    def play(number: int) -> None:
        sender, to = people[number % 40], people[(number * 7 + 1) % 40]
        session = f"ATUid_{number:032x}"
        texts = ["", "1", f"1*{to}", f"1*{to}*{100 + number}", f"1*{to}*{100 + number}*4071"]
        sent = [text for text in texts for _ in range(chance.choice((1, 1, 2, 3)))]
        if number % 5 == 0:  # one neighbour overtakes another
            at = chance.randrange(len(sent) - 1)
            sent[at], sent[at + 1] = sent[at + 1], sent[at]
        if number % 3:
            for text in sent:
                answers[session, text].add(hear(text, session=session, msisdn=sender))
            return
        with ThreadPoolExecutor(2) as two:  # and one answers while the other is under way
            for text, body in two.map(
                lambda text: (text, hear(text, session=session, msisdn=sender)), sent
            ):
                answers[session, text].add(body)

    placed = "SELECT count(*) FROM orders WHERE state = 'placed'"
    with worker(house, "ledger"):
        with ThreadPoolExecutor(6) as hands:
            list(hands.map(play, range(1000)))
        house.relay.once()  # rings for an order whose bell was lost
        until(lambda: house.bank.one(placed) == 0)

    assert len({session for session, _ in answers}) == 1000
    different = {asked: got for asked, got in answers.items() if len(got) > 1}
    assert not different
    done = house.bank.one("SELECT count(*) FROM orders WHERE state = 'done'")
    assert done == house.bank.one("SELECT count(DISTINCT split_part(key, ':', 2)) FROM orders")
    confirmed = {
        session
        for (session, _), bodies in answers.items()
        for body in bodies
        if body.startswith(CONFIRMED)
    }
    assert done == len(confirmed) > 700
    assert house.bank.one("SELECT count(*) FROM journals WHERE reason = 'transfer'") == done


def test_where_it_is_switched_off_what_was_dialled_ahead_is_no_answer(house, wanjiru, otieno):
    """Whatever the provider made of the string, the session goes on from home."""
    conversation = replace(house.conversation, dial_ahead=False)

    def hear(text):
        return conversation.hear(Dial("ATUid_ahead", wanjiru.phone.msisdn, "*384#", text)).body

    assert hear("1*0733000002*500").startswith("CON Kabambe. Balance")
    assert hear("1*0733000002*500*4").startswith("CON Help")
