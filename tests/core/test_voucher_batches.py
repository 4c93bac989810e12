"""Batches of vouchers: paid for at once, printed, given back, and never changed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from voucher_shop import PRESS, STAFF, USD, opened

from core import chart, execution, merchants, voucher_batches
from core.codes import Veil
from core.decisions import NoReason
from core.ledger import InsufficientFunds
from core.limits import AccountSuspended, AmountTooLarge
from core.money import Money, kes
from core.orders import KeyReused
from core.seal import seal_of
from core.subscribers import Tier
from core.voucher_batches import BatchOver, InvalidBatch, OtherKey, Press, UnknownBatch
from core.vouchers import (
    VoucherCancelled,
)
from workers import ledger as ledger_jobs


@pytest.fixture
def shop(house):
    with opened(house) as found:
        yield found


class TestIssuing:
    def test_the_issuer_pays_at_once_and_is_told(self, shop, wanjiru):
        batch = shop.issue(wanjiru)
        assert (wanjiru.balance, shop.balance()) == (kes(950_00), kes(300_00))
        assert shop.states() == [("open", 3)]
        with shop.house.databases["worker"].begin() as session:
            journal = session.scalar(text("SELECT journal_id FROM voucher_batches"))
            seal = seal_of(session, journal=journal)
        assert (
            "You paid KES 300.00 for 3 vouchers of KES 100.00, valid until 21/12/26 09:30."
            f" Balance KES 950.00. Seal {seal}" in shop.told(wanjiru)
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
        began = time.monotonic()
        batch = shop.issue(merchant, count=10_000, value=kes(50_00))
        issued = time.monotonic()
        printed = shop.printed(batch)
        assert issued - began < 8, "the database allows no statement more"
        assert time.monotonic() - issued < 40
        assert merchant.balance == kes(200_000_00)
        assert len({each.code for each in printed}) == 10_000
        assert len({each.code[:8] for each in printed}) > 9_900, "nothing tells one from another"
        assert shop.redeem(merchant, printed[9_999].code) == "done"  # paid with at the till
        shop.house.clock.passes(days=30)
        ledger_jobs.refund_vouchers()
        assert merchant.balance == kes(700_000_00)
        refunds = "SELECT count(*) FROM journals WHERE reason = 'refund'"
        assert house.bank.one(refunds) == 1, "one line of a statement, not ten thousand"

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
        tables = shop.house.bank.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables:
            kept = " ".join(map(str, shop.house.bank.rows(f'SELECT t::text FROM "{table}" t')))
            assert not [code for code in codes if code in kept], table


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
        with pytest.raises(NoReason):
            shop.cancel(batch, note=" ")
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

    @pytest.mark.parametrize("note", ["", " ", "x" * 501])
    def test_nobody_cancels_one_without_a_reason(self, shop, wanjiru, note):
        batch = shop.issue(wanjiru)
        with pytest.raises(NoReason):
            shop.cancel(batch, note=note)
        assert shop.house.bank.one("SELECT cancelled_at FROM voucher_batches") is None

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
                done = voucher_batches.refund(session, now=shop.house.clock(), vouchers_max=10)
            return done and done.count

        assert refund() == 10
        with shop.house.databases["worker"]() as session:  # and its end is never reached
            voucher_batches.refund(session, now=shop.house.clock(), vouchers_max=10)
        assert shop.states() == [("open", 15), ("refunded", 10)]
        assert wanjiru.balance == kes(1100_00)
        assert [refund(), refund(), refund()] == [10, 5, None]
        assert wanjiru.balance == kes(1250_00)
        assert self.refunded(shop) == [(25, True)]

    def test_refunds_and_redemptions_at_once_resolve_each_voucher_once(
        self, shop, wanjiru, otieno, monkeypatch
    ):
        batch = shop.issue(wanjiru, count=60, value=kes(10_00))
        founds = [shop.find(otieno, each.code) for each in shop.printed(batch)]
        for found in founds:
            shop.order(otieno, found, key=f"r{found.number}")
        monkeypatch.setattr(execution, "BATCH_MAX", 5)

        def work(number):
            if number == 2:
                shop.cancel(batch)
            if number % 2:
                ledger_jobs.refund_vouchers()
            else:
                execution.execute(shop.house.databases["worker"], now=shop.house.clock())

        with ThreadPoolExecutor(4) as hands:
            list(hands.map(work, range(14)))
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
            ("web", "SELECT code_hash FROM vouchers"),
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
            "UPDATE vouchers SET state = 'open', order_id = NULL, resolved_at = NULL",
            "UPDATE vouchers SET resolved_at = now() WHERE number = 2",
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
