"""
Understanding answers to questions of ours: the fate of a payment, what we hold, a reversal.

The code of an answer is the question's own. That it is zero says that the question was answered,
and nothing of the payment.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.orm import Session

from core import inquiries, paybill, rails, resolutions, withdrawals
from core.inbox import Letter
from core.inquiries import Asked, Kind
from core.paybill import UnknownPayment
from core.rails import Pot, Provider
from core.suspense import SuspenseClosed
from workers.daraja import codes, parties, values, wire
from workers.daraja.codes import Fate
from workers.daraja.line import Line
from workers.daraja.wire import Result
from workers.mpesa import questions
from workers.mpesa.breaker import trip
from workers.resources import Resources

log = structlog.get_logger(__name__)

# M-Pesa's accounts, by the names that we call what is in them.
_POTS: Final = {"Utility Account": Pot.UTILITY, "Working Account": Pot.PAYBILL}
# Before that, what M-Pesa does not know may only be under way there.
_SETTLED_AFTER: Final = timedelta(minutes=30)


def result(session: Session, have: Resources, line: Line, letter: Letter) -> None:
    """Act on an answer, once."""
    assert letter.token_hash is not None, "the door looked it up"
    asked = inquiries.by_token(session, token_hash=letter.token_hash)
    if asked is None:
        return
    told = wire.result(letter.body)
    if told.code in codes.BROKEN_QUESTIONS:  # no payout would fare any better
        trip(
            session,
            code=told.code,
            why=codes.BROKEN_QUESTIONS[told.code],
            now=have.clock(),
            lasts=None,
        )
    is_taken = inquiries.answer(session, inquiry=asked.id, now=have.clock())
    # What M-Pesa had said it did not give back, and did: that counts, however late it says so.
    went_back = asked.kind is Kind.REVERSAL and told.code in codes.REVERSED
    if not is_taken and not (went_back and asked.state is inquiries.State.FAILED):
        log.info("mpesa.answered_again", inquiry=asked.id)
        return
    about, _, which = asked.subject.partition(":")
    if asked.kind is Kind.BALANCE:
        _balance(session, line, asked, told)
    elif asked.kind is Kind.REVERSAL:
        _reversal(session, have, asked, told)
    elif about == questions.REVERSAL:
        _of_reversal(session, have, which, told)
    elif about == questions.WITHDRAWAL:
        _of_withdrawal(session, have, int(which), told)
    else:
        _of_payment(session, have, line, asked, told)


def timeout(session: Session, have: Resources, line: Line, letter: Letter) -> None:  # noqa: ARG001
    """Nobody knows: what is still open is asked about again in its time."""
    log.warning("mpesa.question_timeout", letter=letter.id)


def _of_withdrawal(session: Session, have: Resources, withdrawal: int, told: Result) -> None:
    now, about = have.clock(), {"withdrawal": withdrawal, "code": told.code}
    if told.code in codes.NOT_FOUND:
        withdrawals.not_found(session, withdrawal=withdrawal, now=now)
        log.warning("mpesa.payout_not_found", **about)
        return
    if told.code == codes.PAID:
        withdrawals.known(session, withdrawal=withdrawal)
    status = told.get("TransactionStatus")
    fate = codes.fate(status) if told.code == codes.PAID else None
    if fate is Fate.COMPLETED:
        resolved = withdrawals.complete(
            session,
            withdrawal=withdrawal,
            receipt=values.receipt(told.get("ReceiptNo")),
            told=values.amount(told.get("Amount")),
            confirmed=True,
            now=now,
        )
    elif fate is Fate.FAILED:
        resolved = withdrawals.fail(
            session,
            withdrawal=withdrawal,
            code=values.words(status),
            why="M-Pesa, asked, says that it failed",
            confirmed=True,
            now=now,
        )
    else:
        log.warning("mpesa.fate_unknown", status=values.words(status), **about)
        return
    level = logging.ERROR if resolved.case is not None else logging.INFO
    log.log(level, "mpesa.payout_resolved", fate=fate.value, came=resolved.came.value, **about)


def _of_payment(session: Session, have: Resources, line: Line, asked: Asked, told: Result) -> None:
    """Act on what became of a payment to our paybill; staff may have asked about another."""
    try:
        _believe(session, have, line, asked, told)
    except UnknownPayment:
        log.warning("mpesa.payment_unknown", inquiry=asked.id, code=told.code)


def _believe(session: Session, have: Resources, line: Line, asked: Asked, told: Result) -> None:
    receipt = asked.subject.partition(":")[2]
    now, about = have.clock(), {"inquiry": asked.id, "code": told.code}
    known = paybill.known(session, receipt=receipt)
    if known is None:  # staff asked, out of interest
        status = values.words(told.get("TransactionStatus"))
        log.warning("mpesa.payment_unknown", status=status, **about)
        return
    amount = values.amount(told.get("Amount"))
    fate = codes.fate(told.get("TransactionStatus")) if told.code == codes.PAID else None
    if told.code in codes.NOT_FOUND:
        is_open = known.state is paybill.State.UNCONFIRMED
        if is_open and known.received_at <= now - _SETTLED_AFTER:
            paybill.refuted(session, receipt=receipt, why="M-Pesa does not know it", now=now)
            log.error("mpesa.payment_refuted", **about)
    elif fate is Fate.COMPLETED and amount is not None:
        if values.receipt(told.get("ReceiptNo")) not in (receipt, None):
            log.error("mpesa.replayed", **about)
            return
        # A payout of ours is completed, too, and its payee knows its receipt.
        payee = parties.payee(told)
        if payee != line.client.account.shortcode:
            if payee is None:
                log.error("mpesa.payee_not_told", **about)
                return
            paybill.refuted(session, receipt=receipt, why="it was not paid to us", now=now)
            log.error("mpesa.payment_refuted", **about)
            return
        received = paybill.confirmed(session, receipt=receipt, amount=amount, now=now)
        log.info("mpesa.payment_confirmed", state=received.state.value, **about)
    elif fate is Fate.FAILED:
        why = values.words(told.get("TransactionStatus"))
        paybill.refuted(session, receipt=receipt, why=why, now=now)
        log.error("mpesa.payment_refuted", **about)


def _balance(session: Session, line: Line, asked: Asked, told: Result) -> None:
    words = told.get("AccountBalance")
    if told.code != codes.PAID or not isinstance(words, str):
        log.warning("mpesa.balance_not_told", code=told.code)
        return
    found, account_of = wire.balances(words), line.client.account
    # Each shortcode has accounts of both names; we pay from one and are paid to one.
    shortcodes = {Pot.UTILITY: account_of.payout_shortcode, Pot.PAYBILL: account_of.shortcode}
    _, _, shortcode = asked.subject.partition(":")
    for account, pot in _POTS.items():
        if account in found and shortcodes[pot] == shortcode:
            # As of when it was asked: what went out since then is counted by us.
            rails.tell_balance(
                session,
                provider=Provider.MPESA,
                account=pot.value,
                available=found[account],
                now=asked.asked_at,
            )
    available = found.get("Utility Account")
    is_float = shortcode == account_of.payout_shortcode
    if is_float and available is not None and available < line.float_least:
        log.error("mpesa.float_low", available=str(available), least=str(line.float_least))


def _reversal(session: Session, have: Resources, asked: Asked, told: Result) -> None:
    case = int(asked.subject.partition(":")[2])
    if told.code in codes.REVERSED:
        _ended(session, have, asked.id, Fate.COMPLETED, case=case, code=told.code, why=told.why)
    elif told.code in codes.NOT_REVERSED:
        _ended(session, have, asked.id, Fate.FAILED, case=case, code=told.code, why=told.why)
    else:  # it stays on its way: what it came to may be asked, or is in the statement
        log.error("mpesa.code_unknown", case=case, code=told.code)


def _of_reversal(session: Session, have: Resources, which: str, told: Result) -> None:
    """Act on what became of a reversal whose own answer was lost."""
    case, inquiry = map(int, which.split(":"))
    status = values.words(told.get("TransactionStatus"))
    fate = codes.fate(status) if told.code == codes.PAID else None
    doubted = inquiries.find(session, inquiry=inquiry)
    if fate not in (Fate.COMPLETED, Fate.FAILED):  # not known is no proof that it will not be
        log.warning("mpesa.fate_unknown", case=case, code=told.code, status=status)
    elif told.get("OriginatorConversationID") != doubted.provider_ref:
        log.error("mpesa.answer_of_another", case=case, inquiry=inquiry)
    else:
        why = f"M-Pesa, asked, says that it is {status}"
        _ended(session, have, inquiry, fate, case=case, code=told.code, why=why)


def _ended(
    session: Session,
    have: Resources,
    inquiry: int,
    fate: Fate,
    *,
    case: int,
    code: str,
    why: str,
) -> None:
    """Take it that what was asked for, by one asking, was done, or certainly was not."""
    now, about = have.clock(), {"case": case, "code": code}
    try:
        if fate is Fate.COMPLETED:
            resolutions.returned(session, case=case, now=now)
            log.info("mpesa.reversed", **about)
        else:
            inquiries.refused(session, inquiry=inquiry, why=why)
            is_open = resolutions.return_failed(session, case=case, why=why, now=now)
            log.error("mpesa.not_reversed", why=why, is_open=is_open, **about)
    except SuspenseClosed:
        if fate is Fate.COMPLETED:  # its money went elsewhere, too
            log.error("mpesa.reversed_and_closed", **about)  # noqa: TRY400 - of no fault here
        else:
            log.warning("mpesa.answered_again", **about)
