"""The call after an order says first what became of it, however the last one ended."""

from __future__ import annotations

import time

import pytest
from phone import _without_reference
from voucher_shop import opened

from core import exchange, merchants, rates, subscribers, vouchers
from core.audit import Actor
from core.money import Currency, kes
from core.orders import Kind
from core.rates import Rate

HOME = "Kabambe. Balance KES 1,250.00"


def first_line(phone):
    return _without_reference(phone.screen).splitlines()[0]


@pytest.fixture
def sent(wanjiru, otieno):
    """Wanjiru, who confirmed; whether she read the answer nobody knows."""
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071").hangs_up()
    return wanjiru


class TestTransfer:
    def test_done(self, sent):
        sent.phone.redials()
        assert _without_reference(sent.phone.screen) == (
            "Sent KES 500.00 to Otieno. Ref REF\nKabambe. Balance KES 745.00\n1. Send money\n"
            "2. Statement\n3. My account\n4. Help\n5. More services"
        )

    def test_once(self, sent):
        sent.phone.redials().again().types("4", "0")
        assert first_line(sent.phone) == "Kabambe. Balance KES 745.00"
        sent.phone.redials("*384#")
        assert first_line(sent.phone) == "Kabambe. Balance KES 745.00"

    def test_again_until_they_go_on_as_the_answer_may_be_lost(self, sent):
        for _ in range(2):
            sent.phone.redials()
            assert first_line(sent.phone) == "Sent KES 500.00 to Otieno. Ref REF"
        sent.phone.types("4").redials("*384#")
        assert first_line(sent.phone) != "Sent KES 500.00 to Otieno. Ref REF"

    def test_not_done_and_why(self, house, wanjiru, otieno):
        house.workers_are_there = False
        for _ in range(2):
            wanjiru.phone.dial().types("1", "0733000002", "700", "4071")
        house.workers_are_there = True
        house.ring()
        assert first_line(wanjiru.phone.redials()) == (
            "Not sent: You have KES 543.00. You need KES 707.00 in all."
        )

    def test_not_done_yet(self, house, wanjiru, otieno):
        house.workers_are_there = False
        wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
        assert first_line(wanjiru.phone.redials()) == (
            "Your last request is being worked on. You get an SMS. Ref REF"
        )

    def test_kwa_kiswahili(self, house, amina, otieno):
        amina.phone.dial().types("1", "0733000002", "500", "4071")
        assert first_line(amina.phone.redials()) == "Umetuma KES 500.00 kwa Otieno. Kumb REF"
        house.workers_are_there = False
        amina.phone.dial().types("1", "0733000002", "50", "4071")
        assert first_line(amina.phone.redials()) == (
            "Ombi lako la mwisho linashughulikiwa. Utapata SMS. Kumb REF"
        )

    def test_above_what_was_dialled_ahead_where_there_is_room(self, sent, otieno):
        """Whoever dials the same string again had better know."""
        sent.phone.redials("*384*1#")
        assert first_line(sent.phone) == "Sent KES 500.00 to Otieno. Ref REF"
        assert sent.phone.screen.splitlines()[1] == "Send money to (phone number):"

    def test_before_what_was_dialled_ahead_where_there_is_no_room(self, house, wanjiru):
        """Cut off at the last hop, and dialled again by heart: not sent twice unawares."""
        long = house.register("+254733000007", name="Wwwwwwwwwwwwwwwwwwww")
        wanjiru.phone.dial("*384*1*0733000007*500#").types("4071")
        wanjiru.phone.redials("*384*1*0733000007*500#")
        assert first_line(wanjiru.phone) == "Sent KES 500.00 to Wwwwwwwwwwwwwwwwwwww. Ref REF"
        assert wanjiru.phone.screen.splitlines()[1] == "Kabambe. Balance KES 745.00"
        wanjiru.phone.redials("*384*1*0733000007*50#")
        assert first_line(wanjiru.phone).startswith("Send KES 50.00 to Ww")
        assert long.balance == kes(500_00)

    def test_and_where_that_led_to_a_refusal(self, sent, otieno):
        sent.phone.redials("*384*1*0733000002*9000#")
        assert first_line(sent.phone) == "Sent KES 500.00 to Otieno. Ref REF"
        assert sent.phone.screen.splitlines()[1] == "Kabambe. Balance KES 745.00"

    def test_is_told_to_nobody_else(self, sent, otieno):
        assert first_line(otieno.phone.redials()) == "Kabambe. Balance KES 500.00"

    def test_not_after_ten_minutes(self, house, sent):
        house.forget_calls(sent.phone.msisdn)
        assert first_line(sent.phone.redials()) == "Kabambe. Balance KES 745.00"


class TestWhateverIsOrdered:
    def test_a_payment(self, house, wanjiru, otieno):
        with house.databases["worker"].begin() as session:
            shop = subscribers.recipient(session, msisdn=otieno.phone.msisdn)
            actor = Actor("staff:jane", "desk", "r1")
            till = merchants.open_till(session, subscriber=shop.id, actor=actor, now=house.clock())
        wanjiru.phone.dial().types("5", "1", till, "500", "4071")
        assert first_line(wanjiru.phone.redials()) == "Paid KES 500.00 to Otieno. Ref REF"

    def test_a_voucher(self, house, wanjiru):
        with opened(house) as shop:
            code = shop.codes(count=1)[0]
            wanjiru.phone.dial().types("5", "2", code)
            assert first_line(wanjiru.phone.redials()) == "Voucher used: KES 100.00. Ref REF"

    def test_a_voucher_that_somebody_else_had_first(self, house, wanjiru, otieno):
        with opened(house) as shop:
            code = shop.codes(count=1)[0]
            house.workers_are_there = False
            wanjiru.phone.dial().types("5", "2", code)
            otieno.phone.dial().types("5", "2", code)
            house.workers_are_there = True
            house.ring()
            assert first_line(otieno.phone.redials()) == (
                "Voucher not used: That voucher was used already."
            )

    def test_an_exchange(self, house, wanjiru):
        now, usd = house.clock(), Currency.USD
        told = [Rate(usd, Currency.KES, rates.Decimal(129), rates.Decimal(131), "test", now)]
        with house.databases["worker"].begin() as session:
            rates.record(session, rates=told, now=now)
        wanjiru.phone.dial().types("4")
        owner = house.bank.one("SELECT id FROM subscribers")
        with house.databases["web"].begin() as session:
            quoted = exchange.quote(
                session, subscriber=owner, give=kes(1000_00), currency=usd, now=now
            )
            exchange.order(
                session,
                subscriber=owner,
                quote=quoted.id,
                key=f"ussd:{wanjiru.phone.session_id}:9",
                now=now,
            )
        house.ring()
        assert first_line(wanjiru.phone.redials()) == (
            "Exchanged KES 1,000.00 for USD 7.55. Ref REF"
        )

    @pytest.mark.parametrize("args", ["{}", '{"recipient": "+254", "amount": "5.0"}'])
    def test_what_only_a_newer_process_knows(self, house, sent, args):
        house.bank.run("ALTER TABLE orders DISABLE TRIGGER USER")
        house.bank.run("UPDATE orders SET kind = 'deposit', args = :args", args=args)
        try:
            assert first_line(sent.phone.redials()) == "Your request was done. Ref REF"
        finally:
            house.bank.run("UPDATE orders SET kind = 'transfer'")
            house.bank.run("ALTER TABLE orders ENABLE TRIGGER USER")


class TestNobodyKnewAtTheEnd:
    def test_redis_went_before_the_answer_was_kept(self, house, wanjiru, otieno):
        """The order is committed; what Redis has is the amount, which is not offered again."""
        wanjiru.phone.dial().types("1", "0733000002", "500")
        left = {key: house.redis.get(key) for key in house.redis.keys("kabambe:ussd-left:*")}
        wanjiru.phone.types("4071")
        for key, value in left.items():
            house.redis.set(key, value)
        assert first_line(wanjiru.phone.redials()) == "Sent KES 500.00 to Otieno. Ref REF"
        assert otieno.balance == kes(500_00)

    def test_a_hop_that_is_still_worked_on_is_not_gone_on_with(self, house, wanjiru, otieno):
        """Whoever loses patience and dials again while the order is being committed."""
        wanjiru.phone.dial().types("1", "0733000002", "500")
        key = f"kabambe:ussd:{wanjiru.phone.session_id}"
        house.redis.hset(key, "until", int(time.time() * 1000) + 5000)
        assert first_line(wanjiru.phone.redials()) == (
            "We do not know yet if your last request was done. See your statement first."
        )
        wanjiru.phone.hangs_up()
        house.redis.hset(key, "until", 0)
        assert first_line(wanjiru.phone.redials()) == "Your last call was cut off."

    def test_of_two_orders_of_one_session_it_is_the_newer(self, house, sent, otieno):
        with house.databases["web"].begin() as session:
            owner = subscribers.recipient(session, msisdn=sent.phone.msisdn)
            his = subscribers.recipient(session, msisdn=otieno.phone.msisdn)
            vouchers.orders.place(
                session,
                kind=Kind.TRANSFER,
                subscriber=owner.id,
                args={"recipient": his.id, "amount": 1, "fee": 0, "currency": "KES"},
                key=f"ussd:{sent.phone.session_id}:99",
                now=house.clock(),
            )
        assert first_line(sent.phone.redials()).startswith("Your last request is being worked on.")
