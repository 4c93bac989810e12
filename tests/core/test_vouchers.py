"""Vouchers: paid for beforehand, had once by whoever types the code, else given back once."""

from __future__ import annotations

import csv
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import chart, execution, ledger, merchants, slips, subscribers, voucher_batches, vouchers
from core.audit import Actor
from core.codes import InvalidVoucherCode, Veil
from core.db import transact
from core.ledger import InsufficientFunds
from core.limits import AccountSuspended, AmountTooLarge
from core.money import Currency, Money, kes
from core.orders import KeyReused, State
from core.subscribers import Tier
from core.voucher_batches import BatchOver, InvalidBatch, OtherKey, Press, UnknownBatch
from core.vouchers import (
    TooManyCodes,
    UnknownVoucher,
    VoucherCancelled,
    VoucherExpired,
    VoucherUsed,
)
from workers import ledger as ledger_jobs

STAFF = Actor("staff:jane", "127.0.0.1", "r1")
PRESS = Press(Ed25519PrivateKey.from_private_bytes(b"press" + bytes(27)), Veil("veil of the tests"))
USD = Currency.USD


class Shop:
    """Whoever issues vouchers, and whoever redeems them."""

    def __init__(self, house) -> None:
        self.house = house

    def person(self, someone):
        with self.house.databases["worker"]() as session:
            return subscribers.recipient(session, msisdn=someone.phone.msisdn)

    def issue(self, issuer=None, *, count=3, value=kes(100_00), days=30, key="k", press=PRESS):
        now = self.house.clock()
        return transact(
            self.house.databases["worker"],
            lambda session: voucher_batches.issue(
                session,
                issuer=issuer and self.person(issuer),
                count=count,
                value=value,
                expires_at=self.house.clock.began + timedelta(days=days),
                key=key,
                press=press,
                actor=STAFF,
                now=now,
            ),
        )

    def printed(self, batch, *, press=PRESS):
        with self.house.databases["worker"].begin() as session:
            found = voucher_batches.print_all(
                session, batch=batch, press=press, actor=STAFF, now=self.house.clock()
            )
        return list(found)

    def codes(self, *args, **kwargs):
        return [each.code for each in self.printed(self.issue(*args, **kwargs))]

    def find(self, someone, typed, *, role="web"):
        """As a door does: a wrong try is kept, whatever else is not."""
        person = self.person(someone)
        refusal = None
        with self.house.databases[role].begin() as session:
            try:
                return vouchers.find(
                    session,
                    person=person,
                    typed=typed,
                    veil=PRESS.veil,
                    actor=Actor(person.msisdn, "ussd", "s"),
                    now=self.house.clock(),
                )
            except vouchers.DomainError as error:
                refusal = error
        raise refusal

    def order(self, someone, found, *, key="r"):
        with self.house.databases["web"].begin() as session:
            return vouchers.order(
                session,
                subscriber=self.person(someone).id,
                found=found,
                key=key,
                now=self.house.clock(),
            ).id

    def redeem(self, someone, typed, *, key="r"):
        self.order(someone, self.find(someone, typed), key=key)
        self.execute()
        return self.outcome(key)

    def execute(self):
        while execution.execute(self.house.databases["worker"], now=self.house.clock()):
            pass

    def outcome(self, key="r"):
        [(state, outcome)] = self.house.bank.rows(
            "SELECT state, outcome FROM orders WHERE key = :k", k=key
        )
        return "done" if state == State.DONE else outcome["code"]

    def cancel(self, batch):
        with self.house.databases["worker"].begin() as session:
            voucher_batches.cancel(
                session, batch=batch, actor=STAFF, note="misprinted", now=self.house.clock()
            )

    def set_tier(self, someone, tier):
        with self.house.databases["worker"].begin() as session:
            subscribers.set_tier(
                session,
                subscriber=self.person(someone).id,
                tier=tier,
                actor=STAFF,
                note="t",
                now=self.house.clock(),
            )

    def balance(self, place=chart.VOUCHERS, currency=Currency.KES, owner=None):
        with self.house.databases["worker"]() as session:
            return ledger.balance(session, path=place.named(currency, owner=owner))

    def told(self, someone):
        return [each["message"] for each in self.house.messages(someone.phone.msisdn)]

    def states(self):
        return self.house.bank.rows(
            "SELECT state, count(*) FROM vouchers GROUP BY state ORDER BY state"
        )


@pytest.fixture
def shop(house):
    house.clock.began = house.clock()
    yield Shop(house)
    off = house.bank.rows(
        "SELECT currency, sum(value) FROM vouchers v JOIN voucher_batches b ON b.id = v.batch_id"
        " WHERE state = 'open' GROUP BY currency"
    )
    for currency, worth in off:
        held = Shop(house).balance(currency=Currency[currency])
        assert held.minor == worth, "what is held for vouchers is what the open ones are worth"


class TestIssuing:
    def test_the_issuer_pays_at_once_and_is_told(self, shop, wanjiru):
        batch = shop.issue(wanjiru)
        assert (wanjiru.balance, shop.balance()) == (kes(950_00), kes(300_00))
        assert shop.states() == [("open", 3)]
        assert (
            "You paid KES 300.00 for 3 vouchers of KES 100.00, valid until 21/12/26 09:30."
            " Balance KES 950.00." in shop.told(wanjiru)
        )
        [(by, issuer)] = shop.house.bank.rows("SELECT issued_by, issuer_id FROM voucher_batches")
        assert (by, issuer) == ("staff:jane", shop.person(wanjiru).id)
        assert [each.slip.serial for each in shop.printed(batch)] == ["1-1", "1-2", "1-3"]

    def test_the_house_may_give_some_away(self, shop, otieno):
        [code, *_] = shop.codes(value=Money(5_00, USD))
        assert shop.balance(chart.VOUCHERS_GIVEN, USD) == Money(-15_00, USD)
        assert shop.redeem(otieno, code) == "done"
        mine = shop.balance(chart.MAIN, USD, shop.person(otieno).id)
        assert (mine, shop.balance(currency=USD)) == (Money(5_00, USD), Money(10_00, USD))

    def test_a_batch_is_issued_once_under_its_key(self, shop, wanjiru):
        with ThreadPoolExecutor(4) as hands:
            assert len(set(hands.map(lambda _: shop.issue(wanjiru), range(4)))) == 1
        shop.house.clock.passes(days=60)
        assert shop.issue(wanjiru) == 1  # however late
        assert wanjiru.balance == kes(950_00)
        assert shop.states() == [("open", 3)]
        for other in ({"count": 4}, {"value": kes(1)}, {"days": 31}):
            with pytest.raises(KeyReused):
                shop.issue(wanjiru, **other)
        with pytest.raises(KeyReused):
            shop.issue(None)

    def test_nobody_pays_with_what_they_have_not_or_may_not(self, shop, wanjiru):
        with pytest.raises(InsufficientFunds) as refused:
            shop.issue(wanjiru, count=13)
        assert refused.value.requested == kes(1300_00)
        with pytest.raises(AmountTooLarge):
            shop.issue(wanjiru, value=kes(100_000_00))
        shop.set_tier(wanjiru, Tier.SUSPENDED)
        with pytest.raises(AccountSuspended):
            shop.issue(wanjiru)
        assert shop.states() == []
        assert wanjiru.balance == kes(1250_00)

    @pytest.mark.parametrize(
        "wrong",
        [{"count": 0}, {"count": 50_001}, {"value": kes(0)}, {"days": 0}, {"days": 2000}],
        ids=str,
    )
    def test_what_is_no_batch(self, shop, wrong):
        with pytest.raises(InvalidBatch):
            shop.issue(**wrong)

    def test_a_merchant_issues_ten_thousand_quickly(self, shop, house):
        merchant = house.register("+254700000007", name="Mama Mboga", balance="700,000")
        with house.databases["worker"].begin() as session:
            merchants.open_till(
                session, subscriber=shop.person(merchant).id, actor=STAFF, now=house.clock()
            )
        printed = shop.printed(shop.issue(merchant, count=10_000, value=kes(50_00)))
        assert merchant.balance == kes(200_000_00)
        assert len({each.code for each in printed}) == 10_000
        assert len({each.code[:8] for each in printed}) > 9_900, "nothing tells one from another"
        assert shop.redeem(merchant, printed[9_999].code) == "done"  # paid with at the till

    def test_printed_again_it_is_the_same_and_only_with_its_keys(self, shop):
        batch = shop.issue()
        first = shop.printed(batch)
        assert shop.printed(batch) == first
        for press in (
            Press(Ed25519PrivateKey.generate(), PRESS.veil),
            Press(PRESS.key, Veil("another")),
        ):
            with pytest.raises(OtherKey):
                shop.printed(batch, press=press)
        with pytest.raises(UnknownBatch):
            shop.printed(99)

    def test_two_batches_of_one_number_never_share_codes(self, shop, house):
        """As after a restore that lost the first."""
        first = shop.codes()
        house.bank.empty()
        assert not set(first) & set(shop.codes())

    def test_no_code_is_in_the_database(self, shop, wanjiru, otieno):
        codes = shop.codes(wanjiru)
        shop.redeem(otieno, codes[0])
        tables = shop.house.bank.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        for (table,) in tables:
            kept = " ".join(map(str, shop.house.bank.rows(f'SELECT t::text FROM "{table}" t')))
            assert not [code for code in codes if code in kept], table


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
            r" Balance KES 100.00\.",
            told,
        )
        [(state, order)] = shop.house.bank.rows(
            "SELECT state, order_id FROM vouchers WHERE number = 1"
        )
        assert (state, order) == ("redeemed", 1)

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

    def test_a_hundred_at_once_are_one_winner(self, shop, house, wanjiru, otieno, amina):
        [code, *_] = shop.codes()
        people = [wanjiru, otieno, amina]
        founds = [shop.find(person, code) for person in people]
        for number in range(100):
            shop.order(people[number % 3], founds[number % 3], key=f"r{number}")

        def execute(_):
            return len(execution.execute(house.databases["worker"], now=house.clock()))

        house.bank.run("UPDATE orders SET kind = 'later' WHERE id > 30")  # many batches, not one
        with ThreadPoolExecutor(4) as hands:
            list(hands.map(execute, range(4)))
            for last in range(40, 101, 10):
                house.bank.run("UPDATE orders SET kind = 'redemption' WHERE id <= :l", l=last)
                list(hands.map(execute, range(3)))
        states = house.bank.rows(
            "SELECT state, outcome ->> 'code', count(*) FROM orders GROUP BY 1, 2 ORDER BY 1"
        )
        assert states == [("done", None, 1), ("refused", "voucher-used", 99)]
        assert shop.states() == [("open", 2), ("redeemed", 1)]
        assert sum((each.balance for each in people), kes(0)) == kes(2600_00)

    def test_who_comes_second_has_it_if_the_first_may_not(self, shop, wanjiru, otieno):
        [code, *_] = shop.codes()
        for number, person in enumerate((wanjiru, otieno)):
            shop.order(person, shop.find(person, code), key=f"r{number}")
        shop.set_tier(wanjiru, Tier.SUSPENDED)
        shop.execute()
        assert [shop.outcome("r0"), shop.outcome("r1")] == ["recipient-suspended", "done"]
        assert otieno.balance == kes(100_00)

    def test_nobody_holds_more_than_they_may(self, shop, house):
        rich = house.register("+254700000009", name="Rich", balance="499,950")
        [code, small, *_] = shop.codes()
        assert shop.redeem(rich, code) == "ceiling-reached"
        assert "Your voucher gave you nothing. The recipient cannot" in shop.told(rich)[0]
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
        return next(body + str(check) for check in range(10) if _fits(body + str(check)))

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


def _fits(code):
    from stdnum import luhn

    return luhn.is_valid(code)


class TestRefund:
    def refunded(self, shop):
        return shop.house.bank.rows(
            "SELECT refunded, closed_at IS NOT NULL FROM voucher_batches ORDER BY id"
        )

    def test_what_nobody_redeemed_comes_back_once_and_is_told(self, shop, wanjiru, otieno):
        [code, *_] = shop.codes(wanjiru, days=1)
        shop.redeem(otieno, code)
        ledger_jobs.refund_vouchers()
        assert self.refunded(shop) == [(0, False)]
        shop.house.clock.passes(days=1)
        ledger_jobs.refund_vouchers()
        ledger_jobs.refund_vouchers()
        assert (wanjiru.balance, shop.balance()) == (kes(1150_00), kes(0))
        assert self.refunded(shop) == [(2, True)]
        told = "2 of your vouchers were not used. KES 200.00 came back to you on 22/11/26 09:30."
        assert [told in each for each in shop.told(wanjiru)].count(True) == 1

    def test_the_houses_own_and_another_currency(self, shop):
        shop.issue(value=Money(5_00, USD), days=1)
        shop.house.clock.passes(days=1)
        ledger_jobs.refund_vouchers()
        assert shop.balance(chart.VOUCHERS_GIVEN, USD) == Money(0, USD)

    def test_cancelled_it_comes_back_at_once_and_nobody_redeems_it(self, shop, wanjiru, otieno):
        batch = shop.issue(wanjiru)
        [first, second, _] = [each.code for each in shop.printed(batch)]
        found = shop.find(otieno, first)
        shop.cancel(batch)
        shop.order(otieno, found)
        shop.execute()
        assert shop.outcome() == "voucher-cancelled"
        with pytest.raises(VoucherCancelled):
            shop.find(otieno, second)
        with pytest.raises(BatchOver):
            shop.cancel(batch)
        with pytest.raises(UnknownBatch):
            shop.cancel(9)
        ledger_jobs.refund_vouchers()
        assert (wanjiru.balance, shop.balance()) == (kes(1250_00), kes(0))
        with pytest.raises(VoucherCancelled):
            shop.find(otieno, second)

    def test_never_refused_for_a_limit(self, shop, wanjiru):
        shop.issue(wanjiru, days=1)
        shop.set_tier(wanjiru, Tier.SUSPENDED)
        shop.house.clock.passes(days=1)
        ledger_jobs.refund_vouchers()
        assert wanjiru.balance == kes(1250_00)

    def test_a_big_batch_goes_back_in_parts_and_killed_in_between_goes_on(self, shop, wanjiru):
        shop.issue(wanjiru, count=25, value=kes(10_00), days=1)
        shop.house.clock.passes(days=1)

        def refund():
            with shop.house.databases["worker"].begin() as session:
                return voucher_batches.refund(session, now=shop.house.clock(), vouchers_max=10)

        assert refund() == 10
        with pytest.raises(KeyboardInterrupt), shop.house.databases["worker"].begin() as session:
            voucher_batches.refund(session, now=shop.house.clock(), vouchers_max=10)
            raise KeyboardInterrupt
        assert shop.states() == [("open", 15), ("refunded", 10)]
        assert wanjiru.balance == kes(1100_00)
        assert [refund(), refund(), refund()] == [10, 5, 0]
        assert wanjiru.balance == kes(1250_00)
        assert self.refunded(shop) == [(25, True)]

    def test_refunds_and_redemptions_at_once_resolve_each_voucher_once(
        self, shop, house, wanjiru, otieno
    ):
        batch = shop.issue(wanjiru, count=60, value=kes(10_00))
        founds = [shop.find(otieno, each.code) for each in shop.printed(batch)]
        for found in founds:
            shop.order(otieno, found, key=f"r{found.number}")
        shop.house.bank.run("UPDATE orders SET kind = 'later' WHERE id % 3 <> 0")

        def work(number):
            if number == 2:
                shop.cancel(batch)
            if number % 2:
                ledger_jobs.refund_vouchers()
            else:
                house.bank.run(
                    "UPDATE orders SET kind = 'redemption' WHERE state = 'placed' AND id <= :l",
                    l=number * 6,
                )
                execution.execute(house.databases["worker"], now=house.clock())

        with ThreadPoolExecutor(4) as hands:
            list(hands.map(work, range(12)))
        shop.house.bank.run("UPDATE orders SET kind = 'redemption' WHERE state = 'placed'")
        shop.execute()
        ledger_jobs.refund_vouchers()
        states = dict(shop.states())
        assert states.get("redeemed", 0) + states.get("refunded", 0) == 60
        assert otieno.balance == kes(states.get("redeemed", 0) * 10_00)
        assert wanjiru.balance == kes(1250_00 - states.get("redeemed", 0) * 10_00)
        assert self.refunded(shop) == [(states.get("refunded", 0), True)]


class TestWhoMayDoWhat:
    @pytest.mark.parametrize(
        ("role", "statement"),
        [
            ("web", "UPDATE vouchers SET state = 'open', order_id = NULL, resolved_at = NULL"),
            ("web", "INSERT INTO vouchers (batch_id, number, code_hash) VALUES (1, 99, 'x')"),
            ("web", "UPDATE voucher_batches SET closed_at = NULL"),
            ("web", "SELECT salt FROM voucher_batches"),
            ("web", "DELETE FROM voucher_tries"),
            ("worker", "UPDATE vouchers SET code_hash = 'x'"),
            ("worker", "UPDATE voucher_batches SET value = 1"),
            ("worker", "UPDATE voucher_batches SET expires_at = now()"),
            ("worker", "DELETE FROM vouchers"),
            ("worker", "TRUNCATE vouchers"),
            ("worker", "DELETE FROM voucher_batches"),
        ],
    )
    def test_no_role_may_do_more_than_its_work(self, shop, role, statement):
        with (
            pytest.raises(DBAPIError, match="permission denied"),
            shop.house.databases[role].begin() as session,
        ):
            session.execute(text(statement))

    @pytest.mark.parametrize("role", ["worker", "owner"])
    def test_what_was_redeemed_or_refunded_stays_so(self, shop, otieno, wanjiru, role):
        [code, *_] = shop.codes(wanjiru, days=1)
        shop.redeem(otieno, code)
        shop.house.clock.passes(days=1)
        ledger_jobs.refund_vouchers()
        for statement in (
            "UPDATE vouchers SET state = 'open', order_id = NULL, resolved_at = NULL"
            " WHERE number = 1",
            "UPDATE vouchers SET state = 'open', resolved_at = NULL WHERE number = 2",
            "UPDATE vouchers SET resolved_at = now() WHERE number = 1",
            "UPDATE voucher_batches SET closed_at = NULL",
            "UPDATE voucher_batches SET refunded = 0",
        ):
            with (
                pytest.raises(DBAPIError, match="that is final"),
                shop.house.databases[role].begin() as session,
            ):
                session.execute(text(statement))

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE vouchers SET code_hash = 'x' WHERE number = 1",
            "UPDATE voucher_batches SET value = 1",
            "UPDATE voucher_batches SET salt = 'x'",
        ],
    )
    def test_not_even_the_owner_changes_what_was_issued(self, shop, statement):
        shop.issue()
        with pytest.raises(DBAPIError, match="that is final"):
            shop.house.bank.run(statement)

    @pytest.mark.parametrize("table", ["vouchers", "voucher_batches"])
    def test_no_row_ever_goes(self, shop, table):
        shop.issue()
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(DBAPIError, match="append-only"):
                shop.house.bank.run(statement)

    def test_no_batch_without_the_journal_that_paid_for_it(self, shop):
        shop.issue()
        row = "SELECT 'x', currency, value, count, salt, key_id, {journal}, 'x', issued_at,"
        columns = "key, currency, value, count, salt, key_id, journal_id, issued_by, issued_at"
        for journal, why in (("NULL", "null value"), ("99", "foreign key"), ("1", "unique")):
            with (
                pytest.raises(DBAPIError, match=why),
                shop.house.databases["worker"].begin() as session,
            ):
                session.execute(
                    text(
                        f"INSERT INTO voucher_batches ({columns}, expires_at)"
                        f" {row.format(journal=journal)} expires_at FROM voucher_batches"
                    )
                )
