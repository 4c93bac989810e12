"""Refunds in the book: what is given back has its cause, and what has none is found."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import ProgrammingError
from tampered import WHOLE, found, run, tamper
from test_payments import Street

from core import orders, refunds, subscribers
from core.limits import RecipientSuspended
from core.money import kes
from core.refunds import NoSuchPayment, RefundTooLarge


@pytest.fixture
def street(house, wanjiru, otieno):
    return Street(house, wanjiru, otieno)


def give_back(street, amount):
    """She paid 1,000; he gives some of it back."""
    reference = street.pay(kes(1000_00)).reference
    with street.house.databases["web"].begin() as session:
        shop = subscribers.recipient(session, msisdn=street.shop.phone.msisdn).id
        paid = refunds.payment(session, merchant=shop, reference=reference)
        refunds.order(
            session, merchant=shop, found=paid, amount=amount, key="g1", now=street.house.clock()
        )
    street.house.ring()
    return reference


def test_it_moves_from_the_merchant_to_the_payer_and_the_fee_stays(street, wanjiru, otieno):
    give_back(street, kes(200_00))
    assert (wanjiru.balance, otieno.balance) == (kes(450_00), kes(795_00))
    assert street.holds("fees:payment:kes") + street.holds("tax:excise:kes") == kes(5_00)


def test_nothing_is_given_back_to_who_is_suspended(street, wanjiru, otieno):
    reference = street.pay(kes(1000_00)).reference
    held = otieno.balance
    street.house.bank.run(
        "UPDATE subscribers SET tier = 'suspended' WHERE msisdn = :it", it=wanjiru.phone.msisdn
    )
    with street.house.databases["web"].begin() as session:
        shop = subscribers.recipient(session, msisdn=street.shop.phone.msisdn).id
        paid = refunds.payment(session, merchant=shop, reference=reference)
        placed = refunds.order(
            session,
            merchant=shop,
            found=paid,
            amount=kes(200_00),
            key="g1",
            now=street.house.clock(),
        )
    street.house.ring()
    with street.house.databases["web"]() as session:
        refusal = orders.get(session, order=placed.id).refusal
    assert isinstance(refusal, RecipientSuspended)
    assert otieno.balance == held


def test_reconciliation_knows_why_it_was_posted(street):
    give_back(street, kes(200_00))
    assert found(run(street.house, WHOLE)) == set()


@pytest.mark.parametrize(
    ("done", "kinds"),
    [
        ("UPDATE refunds SET amount = 199", {"refund-differs"}),
        ("UPDATE refunds SET amount = 100001", {"refund-differs"}),
        ("DELETE FROM refunds", {"refund-differs"}),
        (
            "UPDATE orders SET args = args || '{\"amount\": 10000}' WHERE kind = 'refund'",
            {"refund-differs", "order-differs"},
        ),
    ],
)
def test_and_finds_what_somebody_did_to_it(street, done, kinds):
    give_back(street, kes(200_00))
    tamper(street.house, done)
    assert {kind for kind, _subject in found(run(street.house, WHOLE))} == kinds
    street.house.bank.empty()


def test_a_door_cannot_write_that_something_was_given_back(street):
    reference = street.pay(kes(1000_00)).reference
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        street.house.databases["web"].begin() as session,
    ):
        session.connection().exec_driver_sql(
            "INSERT INTO refunds SELECT id, id, 1, now() FROM orders WHERE reference = %s",
            (reference,),
        )


def test_what_is_asked_too_much_of_is_said_early(street):
    reference = give_back(street, kes(200_00))
    with street.house.databases["web"]() as session:
        shop = subscribers.recipient(session, msisdn=street.shop.phone.msisdn).id
        paid = refunds.payment(session, merchant=shop, reference=reference)
        assert (paid.refunded, paid.left) == (kes(200_00), kes(800_00))
        with pytest.raises(RefundTooLarge):
            refunds.require_refundable(paid, amount=kes(800_01))
        with pytest.raises(NoSuchPayment):
            refunds.payment(session, merchant=shop, reference="P000000000")
