"""Vouchers: had once by whoever types the code, in time; nobody guesses one."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from stdnum import luhn
from voucher_shop import opened

from core import execution
from core.codes import InvalidVoucherCode
from core.money import kes
from core.subscribers import Tier
from core.vouchers import (
    TooManyCodes,
    UnknownVoucher,
    VoucherExpired,
    VoucherUsed,
)
from workers import ledger as ledger_jobs


@pytest.fixture
def shop(house):
    with opened(house) as found:
        yield found


class TestRedeeming:
    def test_whoever_types_the_code_has_the_money(self, shop, wanjiru, otieno):
        [code, *_] = shop.codes(wanjiru)
        found = shop.find(otieno, f"{code[:4]} {code[4:8]}-{code[8:]}")
        assert (found.value, found.number) == (kes(100_00), 1)
        assert shop.redeem(otieno, code) == "done"
        assert (otieno.balance, shop.balance()) == (kes(100_00), kes(200_00))
        [told] = shop.told(otieno)
        assert re.fullmatch(
            r"R\w{9} You received KES 100.00 from a voucher on 21/11/26 09:30."
            r" Balance KES 100.00\. Seal [0-9A-Z]{16}",
            told,
        )
        [(state, order)] = shop.house.bank.rows(
            "SELECT state, order_id FROM vouchers WHERE number = 1"
        )
        assert (state, order) == ("redeemed", 1)

    def test_statements_say_that_it_was_a_voucher(self, shop, wanjiru, otieno):
        [code, *_] = shop.codes(wanjiru, days=1)
        shop.redeem(otieno, code)
        otieno.phone.dial().types("2")
        assert "1. 21/11 Voucher +100.00" in otieno.phone.screen
        otieno.phone.types("1")
        assert otieno.phone.screen.startswith("Voucher: KES 100.00")
        shop.house.clock.passes(days=1)
        ledger_jobs.refund_vouchers()
        wanjiru.phone.dial().types("2")
        assert "1. 22/11 Vouchers +200.00\n2. 21/11 Vouchers -300.00" in wanjiru.phone.screen

    def test_once(self, shop, otieno, wanjiru):
        [code, other, *_] = shop.codes()
        assert shop.redeem(otieno, code) == "done"
        for someone in (otieno, wanjiru):
            with pytest.raises(VoucherUsed):
                shop.find(someone, code)
        assert shop.redeem(wanjiru, other, key="s") == "done"

    def test_a_repeated_order_is_one(self, shop, otieno):
        [code, *_] = shop.codes()
        found = shop.find(otieno, code)
        assert shop.order(otieno, found) == shop.order(otieno, found)
        shop.execute()
        assert shop.order(otieno, found) == 1
        shop.execute()
        assert otieno.balance == kes(100_00)

    def test_an_order_without_the_code_has_nothing(self, shop, wanjiru, otieno):
        """The web may write orders: taken over, it must not be able to take vouchers by number."""
        shop.codes()
        codes = {"guessed": {"proof": "0" * 64}, "none": {}, "empty": {"proof": None}}
        for key, proof in codes.items():
            shop.past(otieno, {"batch": 1, "number": 2} | proof, key=key)
            shop.execute()
            assert shop.outcome(key) == "not-executed"
        assert shop.states() == [("open", 3)]
        assert otieno.balance == kes(0)

    def test_what_an_order_proves_is_of_no_use_to_another(self, shop, wanjiru, otieno):
        [code, *_] = shop.codes()
        shop.set_tier(wanjiru, Tier.SUSPENDED)
        assert shop.redeem(wanjiru, code) == "recipient-suspended"
        seen = shop.house.bank.one("SELECT args FROM orders WHERE key = 'r'")
        assert shop.house.bank.one("SELECT encode(code_hash, 'hex') FROM vouchers") not in str(seen)
        shop.past(otieno, seen, key="seen")
        shop.past(wanjiru, seen, key="mine")
        shop.execute()
        assert [shop.outcome("seen"), shop.outcome("mine")] == ["not-executed", "not-executed"]
        assert shop.redeem(otieno, code, key="typed") == "done"

    def test_a_hundred_at_once_are_one_winner(self, shop, wanjiru, otieno, monkeypatch, capfd):
        [code, *_] = shop.codes()
        people = [wanjiru, otieno]
        founds = [shop.find(person, code) for person in people]
        for number in range(100):
            shop.order(people[number % 2], founds[number % 2], key=f"r{number}")

        # Many small batches at once, not one of a hundred.
        monkeypatch.setattr(execution, "BATCH_MAX", 3)
        with ThreadPoolExecutor(8) as hands:
            list(hands.map(lambda _: shop.execute(), range(8)))
        states = shop.house.bank.rows(
            "SELECT state, outcome ->> 'code', count(*) FROM orders GROUP BY 1, 2 ORDER BY 1"
        )
        assert states == [("done", None, 1), ("refused", "voucher-used", 99)]
        assert shop.states() == [("open", 2), ("redeemed", 1)]
        assert sum((each.balance for each in people), kes(0)) == kes(1350_00)
        assert "execution.batch_failed" not in capfd.readouterr().err, "they wait for each other"

    def test_who_comes_second_has_it_if_the_first_may_not(self, shop, wanjiru, otieno, capfd):
        [code, *_] = shop.codes()
        for number, person in enumerate((wanjiru, otieno)):
            shop.order(person, shop.find(person, code), key=f"r{number}")
        shop.set_tier(wanjiru, Tier.SUSPENDED)
        shop.execute()
        assert [shop.outcome("r0"), shop.outcome("r1")] == ["recipient-suspended", "done"]
        assert otieno.balance == kes(100_00)
        assert "execution.batch_failed" not in capfd.readouterr().err

    def test_two_of_one_batch_are_one_winner(self, shop, wanjiru, otieno, capfd):
        [code, *_] = shop.codes()
        for number, person in enumerate((wanjiru, otieno)):
            shop.order(person, shop.find(person, code), key=f"r{number}")
        shop.execute()
        assert [shop.outcome("r0"), shop.outcome("r1")] == ["done", "voucher-used"]
        assert "execution.batch_failed" not in capfd.readouterr().err

    def test_nobody_holds_more_than_they_may(self, shop, house):
        rich = house.register("+254700000009", name="Rich", balance="499,950")
        [code, small, *_] = shop.codes()
        assert shop.redeem(rich, code) == "ceiling-reached"
        assert "Your voucher gave you nothing. The account cannot hold" in shop.told(rich)[0]
        shop.set_tier(rich, Tier.REJECTED)
        assert shop.redeem(rich, small, key="s") == "recipient-suspended"
        assert shop.states() == [("open", 3)]
        assert rich.balance == kes(499_950_00)

    def test_its_time_over_it_is_worth_nothing(self, shop, otieno, wanjiru):
        [code, late, *_] = shop.codes(days=1)
        found = shop.find(otieno, late)
        shop.house.clock.passes(hours=23, minutes=59)
        in_time = shop.find(otieno, code)
        shop.order(otieno, in_time)
        shop.house.clock.passes(minutes=1)
        shop.order(wanjiru, found, key="late")
        shop.execute()  # a ledger worker that was late costs nobody their voucher
        assert [shop.outcome(), shop.outcome("late")] == ["done", "voucher-expired"]
        with pytest.raises(VoucherExpired):
            shop.find(wanjiru, late)

    def test_an_order_that_names_no_voucher_spoils_no_other(self, shop, otieno, wanjiru):
        [code, *_] = shop.codes()
        shop.order(otieno, shop.find(otieno, code), key="good")
        shop.order(wanjiru, shop.find(wanjiru, code), key="bad")
        shop.house.bank.run("UPDATE orders SET args = '{\"batch\": 9}' WHERE key = 'bad'")
        shop.execute()
        assert [shop.outcome("good"), shop.outcome("bad")] == ["done", "not-executed"]


class TestGuessing:
    def wrong(self, number):
        body = f"{number:019}"
        return next(body + str(check) for check in range(10) if luhn.is_valid(body + str(check)))

    def test_five_wrong_codes_a_day_and_no_more(self, shop, otieno, wanjiru):
        [code, other, *_] = shop.codes()
        for left in (4, 3, 2):
            with pytest.raises(UnknownVoucher) as refused:
                shop.find(otieno, self.wrong(left))
            assert refused.value.tries_left == left
        assert shop.redeem(otieno, code) == "done"  # and forgets none of them
        shop.house.clock.passes(hours=1)
        with pytest.raises(UnknownVoucher):
            shop.find(otieno, self.wrong(7), role="worker")
        for typed in (self.wrong(8), self.wrong(9), other):
            with pytest.raises(TooManyCodes):
                shop.find(otieno, typed)
        assert shop.find(wanjiru, other)
        shop.house.clock.passes(hours=22, minutes=59)
        with pytest.raises(TooManyCodes):
            shop.find(otieno, other)
        shop.house.clock.passes(minutes=1)
        assert shop.find(otieno, other)
        lines = shop.house.bank.rows(
            "SELECT actor FROM audit_log WHERE action = 'voucher-tries-used'"
        )
        assert lines == [("+254733000002",)]

    def test_many_sessions_guess_no_faster(self, shop, otieno):
        shop.codes()

        def guess(number):
            with pytest.raises((UnknownVoucher, TooManyCodes)) as refused:
                shop.find(otieno, self.wrong(number))
            return refused.type

        with ThreadPoolExecutor(8) as hands:
            assert list(hands.map(guess, range(40))).count(UnknownVoucher) == 4

    @pytest.mark.parametrize("spoil", ["short", "long", "digit", "letters", "swapped"])
    def test_a_slip_of_the_finger_is_no_try(self, shop, otieno, spoil):
        [code, *_] = shop.codes()
        typed = {
            "short": code[:-1],
            "long": code + "0",
            "digit": str((int(code[0]) + 1) % 10) + code[1:],
            "letters": "O" * 20,
            "swapped": "12345678901234567801",
        }[spoil]
        for _ in range(9):
            with pytest.raises(InvalidVoucherCode):
                shop.find(otieno, typed)
        assert shop.find(otieno, code)
