"""Payments at a till, and movements in other currencies: who bears what, and what is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from stdnum import luhn

from core import chart, ledger, merchants, reversals, subscribers, transfers
from core.audit import Actor
from core.fees import FeeChanged
from core.ledger import Draft, InsufficientFunds, Reason
from core.limits import AmountTooSmall, DailyLimitReached
from core.money import Currency, Money, kes
from core.orders import Kind
from core.subscribers import InvalidWalletNumber, UnknownRecipient
from core.transfers import SameAccount, UnknownTill

JANE = Actor("staff:jane", "desk", "r1")


class Street:
    """Somebody who pays, and a shop."""

    def __init__(self, house, payer, shop) -> None:
        self.house, self.payer, self.shop = house, payer, shop
        with house.databases["worker"].begin() as session:
            self.till = self.open_till(session)

    def open_till(self, session):
        shop = subscribers.recipient(session, msisdn=self.shop.phone.msisdn)
        return merchants.open_till(session, subscriber=shop.id, actor=JANE, now=self.house.clock())

    def quote(self, amount, *, kind=Kind.PAYMENT):
        with self.house.databases["web"].begin() as session:
            sender = subscribers.recipient(session, msisdn=self.payer.phone.msisdn)
            now = self.house.clock()
            return transfers.quote(session, sender=sender, amount=amount, kind=kind, now=now)

    def order(self, quoted, *, recipient=None, key="k1"):
        with self.house.databases["web"].begin() as session:
            sender = subscribers.recipient(session, msisdn=self.payer.phone.msisdn)
            if recipient is None:
                recipient = merchants.at_till(session, till=self.till).id
            placed = transfers.order(
                session,
                sender=sender,
                recipient=recipient,
                quoted=quoted,
                key=key,
                now=self.house.clock(),
            )
        self.house.ring()
        return placed

    def pay(self, amount, *, kind=Kind.PAYMENT, key="k1"):
        return self.order(self.quote(amount, kind=kind), key=key)

    def outcome(self):
        [(state, outcome)] = self.house.bank.rows("SELECT state, outcome FROM orders")
        return state, outcome.get("code")

    def holds(self, path):
        with self.house.databases["worker"]() as session:
            return ledger.balance(session, path=path)

    def give(self, person, amount):
        """Money of another currency, from nowhere."""
        with self.house.bank.owner.begin() as session:
            owner = subscribers.recipient(session, msisdn=person.phone.msisdn).id
            cash = chart.SANDBOX_CASH.open(session, currency=amount.currency)
            account = chart.MAIN.open(session, currency=amount.currency, owner=owner)
            legs = {cash: -amount.minor, account: amount.minor}
            draft = Draft(f"give:{account}", Reason.OPENING, legs)
            ledger.post(session, drafts=[draft], now=self.house.clock())


@pytest.fixture
def street(house, wanjiru, otieno):
    return Street(house, wanjiru, otieno)


class TestTills:
    def test_a_till_has_seven_digits_and_a_wrong_one_is_told(self, street):
        assert len(street.till) == 7
        with street.house.databases["web"]() as session:
            spaced = f" {street.till[:3]} {street.till[3:]} "
            assert merchants.at_till(session, till=spaced).name == "Otieno"
            for place, digit in enumerate(street.till):
                other = str((int(digit) + 1) % 10)
                wrong = street.till[:place] + other + street.till[place + 1 :]
                with pytest.raises(UnknownTill):
                    merchants.at_till(session, till=wrong)
            for wrong in ("", "12", "١٢٣٤٥٦٧", street.till + "0", "tilltil"):
                with pytest.raises(UnknownTill):
                    merchants.at_till(session, till=wrong)

    def test_opened_twice_it_is_the_same(self, street):
        with street.house.databases["worker"].begin() as session:
            assert street.open_till(session) == street.till

    def test_a_door_cannot_open_one_for_itself(self, street, amina):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            street.house.databases["web"].begin() as session,
        ):
            street.open_till(session)

    def test_numbers_do_not_repeat_and_check(self, house):
        rows = house.bank.rows(
            "SELECT till_number(n), wallet_number(n) FROM generate_series(1, 20000) AS n"
        )
        assert len({till for till, _ in rows}) == len({number for _, number in rows}) == 20_000
        assert all(len(till) == 7 and luhn.is_valid(till) for till, _ in rows)
        assert all(len(number) == 13 and luhn.is_valid(number) for _, number in rows)


class TestWalletNumbers:
    def test_everyone_has_one_and_is_found_by_it(self, house, wanjiru):
        number = house.bank.one("SELECT wallet_number FROM subscribers")
        with house.databases["web"]() as session:
            spaced = f"{number[:4]} {number[4:]}"
            assert subscribers.by_wallet_number(session, number=spaced).name == "Wanjiru"

    def test_a_wrong_digit_is_told_from_a_number_nobody_has(self, house, wanjiru):
        number = house.bank.one("SELECT wallet_number FROM subscribers")
        wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
        nobodys = house.bank.one("SELECT wallet_number(999)")
        with house.databases["web"]() as session:
            for typed in (wrong, number[:-1], "", "abc"):
                with pytest.raises(InvalidWalletNumber):
                    subscribers.by_wallet_number(session, number=typed)
            with pytest.raises(UnknownRecipient):
                subscribers.by_wallet_number(session, number=nobodys)


class TestPayments:
    def test_the_shop_bears_the_fee_and_the_excise_on_it(self, street, wanjiru, otieno):
        quoted = street.quote(kes(1000_00))
        assert (quoted.total, quoted.fee) == (kes(1000_00), kes(5_00))
        street.order(quoted)
        assert (wanjiru.balance, otieno.balance) == (kes(250_00), kes(995_00))
        assert street.holds("fees:payment:kes") == kes(4_35)
        assert street.holds("tax:excise:kes") == kes(65)

    def test_both_are_told(self, street, wanjiru, otieno):
        street.pay(kes(1000_00))
        [hers] = street.house.messages(wanjiru.phone.msisdn)
        [his] = street.house.messages(otieno.phone.msisdn)
        assert (
            "Paid KES 1,000.00 to Otieno on 21/11/26 09:30. Fee KES 0.00. Balance KES 250.00."
            in hers["message"]
        )
        assert "Fee KES 5.00. Balance KES 995.00." in his["message"]

    def test_who_has_no_till_is_not_paid(self, street, amina):
        [(nobody,)] = street.house.bank.rows("SELECT id FROM subscribers WHERE name = 'Amina'")
        street.order(street.quote(kes(10_00)), recipient=nobody)
        assert street.outcome() == ("refused", UnknownTill.code)
        [message] = street.house.messages(street.payer.phone.msisdn)
        assert "Not paid: KES 10.00." in message["message"]

    def test_a_shop_does_not_pay_itself(self, street):
        [(payer,)] = street.house.bank.rows("SELECT id FROM subscribers WHERE name = 'Wanjiru'")
        street.order(street.quote(kes(10_00)), recipient=payer)
        assert street.outcome() == ("refused", SameAccount.code)

    def test_the_fee_that_was_quoted_is_the_fee_that_is_charged(self, street, wanjiru):
        quoted = street.quote(kes(1000_00))
        street.house.bank.run(
            "INSERT INTO fee_tiers (kind, currency, valid_from, amount_from, flat, basis_points)"
            " VALUES ('payment', 'KES', :at, 1, 100, 0)",
            at=street.house.clock(),
        )
        try:
            street.order(quoted)
        finally:
            street.house.bank.run("DELETE FROM fee_tiers WHERE kind = 'payment' AND flat = 100")
        assert street.outcome() == ("refused", FeeChanged.code)
        assert wanjiru.balance == kes(1250_00)

    def test_a_refund_mirrors_every_leg(self, street, wanjiru, otieno):
        placed = street.pay(kes(1000_00))
        now = street.house.clock()
        [(payer,)] = street.house.bank.rows("SELECT id FROM subscribers WHERE name = 'Wanjiru'")
        with street.house.databases["worker"].begin() as session:
            made = reversals.request(
                session,
                subscriber=payer,
                reference=placed.reference,
                actor=Actor("+254712000001", "ussd", "s1"),
                reason="Torn",
                now=now,
            )
            reversals.approve(session, reversal=made, actor=JANE, note="Seen", now=now)
        assert (wanjiru.balance, otieno.balance) == (kes(1250_00), kes(0))
        assert street.holds("fees:payment:kes") == street.holds("tax:excise:kes") == kes(0)


class TestOtherCurrencies:
    def test_a_transfer_in_dollars_opens_the_receivers_account(self, street, wanjiru, otieno):
        street.give(wanjiru, Money(500_00, Currency.USD))
        quoted = street.quote(Money(200_00, Currency.USD), kind=Kind.TRANSFER)
        assert quoted.fee == Money(1_50, Currency.USD)
        street.order(quoted)
        assert street.outcome() == ("done", None)
        rows = street.house.bank.rows(
            "SELECT path, balance FROM accounts WHERE currency = 'USD'"
            " AND mode = 'authorise' AND path LIKE 'user:%' ORDER BY id"
        )
        assert [balance for _, balance in rows] == [500_00 - 201_50, 200_00]
        [message] = street.house.messages(otieno.phone.msisdn)
        assert "You received USD 200.00 from Wanjiru" in message["message"]
        assert street.holds("tax:excise:usd") == Money(19, Currency.USD)

    def test_without_that_currency_there_is_nothing_to_send(self, street):
        with pytest.raises(InsufficientFunds) as refused:
            street.quote(Money(1_00, Currency.EUR), kind=Kind.TRANSFER)
        assert refused.value.available == Money(0, Currency.EUR)

    def test_limits_count_all_currencies_together_in_shillings(self, street, wanjiru):
        street.give(wanjiru, Money(5000_00, Currency.USD))
        for number in range(2):
            street.pay(Money(1900_00, Currency.USD), kind=Kind.TRANSFER, key=f"k{number}")
        street.quote(kes(10_00), kind=Kind.TRANSFER)
        with pytest.raises(DailyLimitReached) as refused:
            street.quote(Money(100_00, Currency.USD), kind=Kind.TRANSFER)
        assert refused.value.left == kes(500_000_00 - 2 * 1900 * 130 * 100)

    def test_a_reversal_gives_back_dollars(self, street, wanjiru, otieno):
        street.give(wanjiru, Money(500_00, Currency.USD))
        placed = street.pay(Money(200_00, Currency.USD), kind=Kind.TRANSFER)
        now = street.house.clock()
        [(payer,)] = street.house.bank.rows("SELECT id FROM subscribers WHERE name = 'Wanjiru'")
        with street.house.databases["worker"].begin() as session:
            made = reversals.request(
                session,
                subscriber=payer,
                reference=placed.reference,
                actor=Actor("+254712000001", "ussd", "s1"),
                reason="Wrong Otieno",
                now=now,
            )
            reversals.approve(session, reversal=made, actor=JANE, note="Yes", now=now)
        rows = street.house.bank.rows(
            "SELECT balance FROM accounts WHERE currency = 'USD' AND path LIKE 'user:%' ORDER BY id"
        )
        assert rows == [(500_00,), (0,)]
        messages = [each["message"] for each in street.house.messages(wanjiru.phone.msisdn)]
        assert any("USD 200.00 you sent to Otieno came back" in each for each in messages)


class TestTariff:
    @pytest.mark.parametrize(
        ("currency", "amount", "fee"),
        [
            # 2 % below a dollar, then 1 %, 0.75 % and 0.5 %; from a cent to 20 dollars.
            ("USD", 1, 1),
            ("USD", 99, 2),
            ("USD", 100, 1),
            ("USD", 99_99, 1_00),
            ("USD", 100_00, 75),
            ("USD", 1000_00, 5_00),
            ("USD", 9000_00, 20_00),
            ("KES", 1_00, 1_30),
            ("KES", 129_99, 2_60),
            ("KES", 130_00, 1_30),
            ("KES", 13_000_00, 97_50),
            ("KES", 130_000_00, 650_00),
            ("KES", 900_000_00, 2600_00),
            ("BTC", 100_000, 750),
            ("USDT", 1_000_000, 10_000),
        ],
    )
    def test_a_transfer_costs(self, house, currency, amount, fee):
        found = house.bank.one(
            "SELECT fee('transfer', :currency, :amount, '2026-11-21')",
            currency=currency,
            amount=amount,
        )
        assert found == fee

    def test_an_older_movement_has_the_older_price(self, house):
        assert house.bank.one("SELECT fee('transfer', 'KES', 50000, '2026-10-31')") == 5_00

    def test_excise_is_within_the_fee(self, house):
        with house.bank.owner() as session:
            found = session.execute(
                text("SELECT n, excise(n, '2026-11-21') FROM generate_series(0, 2000) AS n")
            )
            for fee, duty in found:
                # Excise Duty Act, first schedule: 15 % on the fee without the duty.
                assert 0 <= (fee - duty) * 15 - duty * 100 < 115 or fee == duty == 0


def test_the_least_is_said_in_shillings(street, wanjiru):
    street.give(wanjiru, Money(5_00, Currency.NGN))
    with pytest.raises(AmountTooSmall):
        street.quote(Money(1, Currency.NGN), kind=Kind.TRANSFER)
