"""
Understanding what Safaricom told us. Nothing it says is signed, so nothing here posts by it.

Amounts and owners are our rows'; what is told is compared with them. What is big, or odd, is asked
about before it counts. Each letter is acted on in one transaction, in which it is closed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import structlog
from sqlalchemy.orm import Session

from core import deposits, inbox, paybill, withdrawals
from core.inbox import Kind, Letter
from core.money import kes
from workers import reading
from workers.daraja import codes, values, wire
from workers.daraja.line import Line
from workers.daraja.wire import Misread
from workers.mpesa import answering
from workers.mpesa.breaker import trip
from workers.resources import Resources, current

log = structlog.get_logger(__name__)

# So little a callback is never believed for without asking.
_NOTHING: Final = kes(0)


def understand(*, ids: Sequence[int], **_: object) -> None:
    """Act on what Safaricom told us, each letter in a transaction of its own."""
    have = current()
    if have.mpesa is None:
        return
    reading.each(have, ids, partial(_understand, have, have.mpesa))


def _understand(have: Resources, line: Line, letter: int, session: Session) -> None:
    if not have.anchor.holds(session):
        return  # it stays undone, and the relay rings again
    told = inbox.take(session, letter=letter)
    if told is None:
        return
    try:
        _READERS[told.kind](session, have, line, told)
    except Misread as error:
        # It is kept as it came; whatever it was to say is asked for.
        log.error("mpesa.misread", letter=letter, kind=told.kind.value, why=str(error))  # noqa: TRY400
    inbox.close(session, letter, now=have.clock())


def _prompt_ended(session: Session, have: Resources, line: Line, letter: Letter) -> None:
    assert letter.token_hash is not None, "the door looked it up"
    deposit = deposits.by_token(session, token_hash=letter.token_hash)
    if deposit is None:
        return
    now, told = have.clock(), wire.prompted(letter.body)
    about = {"deposit": deposit, "code": told.code}
    if told.code == codes.PAID:
        # A success that does not say how much, or by which receipt, is only half of one.
        is_whole = told.amount is not None and told.receipt is not None
        settled = deposits.settle(
            session,
            deposit=deposit,
            receipt=told.receipt,
            told=told.amount,
            payer=told.payer,
            provider_ref=told.checkout,
            now=now,
            confirm_above=line.confirm_above if is_whole else _NOTHING,
        )
        level = logging.ERROR if settled.case is not None else logging.INFO
        log.log(level, "mpesa.deposit_paid", came=settled.came.value, case=settled.case, **about)
    elif not deposits.is_called(session, deposit=deposit, provider_ref=told.checkout):
        log.error("mpesa.replayed", **about)
    elif told.code in codes.FAILED_PROMPTS:
        if told.code in codes.ALARMING_PROMPTS:
            log.error("mpesa.prompt_alarming", why=codes.FAILED_PROMPTS[told.code], **about)
        why = codes.FAILED_PROMPTS[told.code]
        deposits.named(session, deposit=deposit, provider_ref=told.checkout)
        deposits.fail(session, deposit=deposit, code=told.code, why=why, now=now)
        log.info("mpesa.deposit_not_paid", **about)
    else:
        if told.code not in codes.PENDING_PROMPTS:
            log.error("mpesa.code_unknown", **about)
        deposits.doubt(session, deposit=deposit, provider_ref=told.checkout, now=now)


def _payout_result(session: Session, have: Resources, line: Line, letter: Letter) -> None:
    assert letter.token_hash is not None, "the door looked it up"
    withdrawal = withdrawals.by_token(session, token_hash=letter.token_hash)
    if withdrawal is None:
        return
    now, told = have.clock(), wire.result(letter.body)
    about = {"withdrawal": withdrawal, "code": told.code}
    payee, name = _party(told.get("ReceiverPartyPublicName"))
    if not withdrawals.is_about(
        session,
        withdrawal=withdrawal,
        conversation=told.originator,
        provider_ref=told.conversation,
        payee=payee,
    ):
        log.error("mpesa.replayed", **about)
        withdrawals.doubt(session, withdrawal=withdrawal, now=now)
    elif told.code == codes.PAID:
        amount = values.amount(told.get("TransactionAmount"))
        receipt = values.receipt(told.get("TransactionReceipt") or told.transaction)
        is_whole = amount is not None and receipt is not None
        resolved = withdrawals.complete(
            session,
            withdrawal=withdrawal,
            receipt=receipt,
            told=amount,
            payee_name=name,
            now=now,
            confirm_above=line.confirm_above if is_whole else _NOTHING,
        )
        level = logging.ERROR if resolved.case is not None else logging.INFO
        log.log(level, "mpesa.payout_paid", came=resolved.came.value, case=resolved.case, **about)
    else:
        _payout_failed(session, have, line, withdrawal, told.code)


def _payout_failed(
    session: Session, have: Resources, line: Line, withdrawal: int, code: str
) -> None:
    broken = codes.BROKEN_PAYOUTS.get(code)
    why = broken[0] if broken else codes.FAILED_PAYOUTS.get(code)
    if broken is not None:
        trip(session, code=code, why=broken[0], now=have.clock(), lasts=broken[1])
    if why is None:  # it is not taken for a failure before it is asked about
        log.error("mpesa.code_unknown", withdrawal=withdrawal, code=code)
        withdrawals.doubt(session, withdrawal=withdrawal, now=have.clock())
        return
    resolved = withdrawals.fail(
        session,
        withdrawal=withdrawal,
        code=code,
        why=why,
        now=have.clock(),
        confirm_above=line.confirm_above,
        is_doubtful=code in codes.DOUBTFUL_PAYOUTS,
    )
    level = logging.ERROR if resolved.case is not None else logging.INFO
    log.log(
        level,
        "mpesa.payout_failed",
        withdrawal=withdrawal,
        code=code,
        came=resolved.came.value,
        case=resolved.case,
    )


def _payout_timeout(
    session: Session,
    have: Resources,
    line: Line,  # noqa: ARG001 - as all readers
    letter: Letter,
) -> None:
    """A hint, no more: whatever became of it is asked for now."""
    assert letter.token_hash is not None, "the door looked it up"
    withdrawal = withdrawals.by_token(session, token_hash=letter.token_hash)
    if withdrawal is not None:
        log.warning("mpesa.payout_timeout", withdrawal=withdrawal)
        withdrawals.doubt(session, withdrawal=withdrawal, now=have.clock())


def _payment_received(session: Session, have: Resources, line: Line, letter: Letter) -> None:
    told = wire.payment(letter.body)
    if (
        told.receipt is None
        or told.amount is None
        or told.shortcode != line.client.account.shortcode
    ):
        log.error("mpesa.payment_odd", letter=letter.id)
        return
    received = paybill.receive(
        session,
        receipt=told.receipt,
        account=told.account,
        amount=told.amount,
        payer=told.payer or told.payer_word,
        at=told.at or letter.received_at,
        confirmed=not line.confirm_above < told.amount,
        now=have.clock(),
    )
    level = logging.WARNING if received.case is not None else logging.INFO
    log.log(
        level, "mpesa.payment", payment=received.id, state=received.state.value, case=received.case
    )


_PARTY: Final = re.compile(r"\s*(?:\+?(254[17][0-9]{8})\s*-\s*)?(.*)", re.DOTALL)


def _party(words: object) -> tuple[str | None, str | None]:
    """Read `254705912645 - NICHOLAS JOHN SONGOK`: a number, where it is whole, and a name."""
    found = _PARTY.fullmatch(values.words(words))
    if found is None:
        return None, None
    return (f"+{found[1]}" if found[1] else None), (found[2].strip() or None)


_Reader = Callable[[Session, Resources, Line, Letter], None]
_READERS: Final[Mapping[Kind, _Reader]] = {
    Kind.PROMPT_ENDED: _prompt_ended,
    Kind.PAYOUT_RESULT: _payout_result,
    Kind.PAYOUT_TIMEOUT: _payout_timeout,
    Kind.PAYMENT_RECEIVED: _payment_received,
    Kind.INQUIRY_RESULT: answering.result,
    Kind.INQUIRY_TIMEOUT: answering.timeout,
}
