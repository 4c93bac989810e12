"""
The hand that asks rails for pages and payouts, and what became of them. Any job may run twice.

Of everything the row is committed first, then the rail is called once, then what it said is
recorded. No transaction is open meanwhile.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog
from sqlalchemy.orm import Session

from core import deposits, inbox, rails, withdrawals
from core.db import is_of_the_database, transact
from core.payees import Payee
from core.withdrawals import Payout
from workers import reading
from workers.errors import Blocked, CallFailed, Rejected, Unknown
from workers.rails import ChargeState, PaymentRail, Topic, Transfer, TransferState
from workers.resources import Resources, current

log = structlog.get_logger(__name__)

R = TypeVar("R")

HANDS: Final = 8
_DUE_MAX: Final = 40
_SOON: Final = timedelta(seconds=15)
_BLOCKED: Final = timedelta(minutes=15)
_NEEDS_CODE: Final = "otp"
_REASON: Final = "Kabambe"


def work(**_: object) -> None:
    """Do whatever is due on every rail."""
    have = current()
    with have.databases() as session:
        if not have.anchor.holds(session):
            return
    for rail in have.rails.values():
        _open_pages(have, rail)
        _pay_out(have, rail)
        _ask(have, rail)


def sweep(**_: object) -> None:
    """End waiting for pages, and be unsure of payouts whose hand died on the way."""
    have = current()
    now = have.clock()
    ended = have.do_with_money(partial(deposits.lapse, now=now))
    lost = have.do_with_money(partial(withdrawals.sweep, now=now))
    have.do_with_money(partial(withdrawals.tell_delayed, now=now))
    if ended or lost:
        log.info("rails.swept", lapsed=ended, unsure=lost)


def understand(*, ids: Sequence[int], **_: object) -> None:
    """Read of what rails have news, and ask them."""
    have = current()
    reading.each(have, ids, partial(_understand, have))
    for rail in have.rails.values():
        _ask(have, rail)


def _understand(have: Resources, letter: int, session: Session) -> None:
    now = have.clock()
    if not have.anchor.holds(session):
        return  # it stays undone, and the relay rings again
    told = inbox.take(session, letter=letter)
    if told is None:
        return
    provider = rails.Provider(told.provider)
    try:
        news = have.rails[provider].understand(told.body)
    except Unknown as doubt:
        log.warning("rail.webhook_not_understood", rail=provider, letter=letter, why=doubt.why)
    else:
        log.info("rail.news", rail=provider, event_=news.event, reference=news.reference)
        if news.topic in (Topic.CHARGE, Topic.REFUND):
            found = deposits.by_rail_reference(session, provider=provider, reference=news.reference)
            if found is not None:
                deposits.heard(session, deposit=found, rail_reference=news.reference, now=now)
        elif news.topic is Topic.TRANSFER:
            paid = withdrawals.by_conversation(session, conversation=ours(news.reference))
            if paid is not None:
                withdrawals.heard(session, withdrawal=paid, now=now)
    inbox.close(session, letter, now=now)


def theirs(conversation: str) -> str:
    """What a rail calls a payout: Paystack takes no capitals."""
    return conversation.lower()


def ours(reference: str) -> str:
    """The identifier of a payout that a rail calls so."""
    return reference[:2] + reference[2:].upper()


def _each(items: Sequence[R], do: Callable[[R], None]) -> None:
    """
    Do something with each, several at once: one slow answer must not hold up the others.

    Nor must one that raises: it is logged, and comes again when it is due.
    """
    if not items:
        return
    with ThreadPoolExecutor(max_workers=min(HANDS, len(items))) as hands:
        for _done in hands.map(partial(_alone, do), items):
            pass


def _alone(do: Callable[[R], None], item: R) -> None:
    try:
        do(item)
    except Exception as error:
        if is_of_the_database(error):
            raise  # that is no row's fault: the relay rings again
        log.exception("rail.row_failed", row=getattr(item, "id", item))


# ------------------------------------------------------------------------------------ money in


def _open_pages(have: Resources, rail: PaymentRail) -> None:
    with have.databases() as session:
        due = deposits.due_pages(
            session, provider=rail.provider, now=have.clock(), deposits_max=_DUE_MAX
        )
    _each(due, partial(_open_page, have, rail))


def _open_page(have: Resources, rail: PaymentRail, deposit: int) -> None:
    now = have.clock()
    page = have.do_with_money(partial(deposits.begin_page, deposit=deposit, now=now))
    if page is None:
        return
    record: Callable[[Session], None]
    try:
        made = rail.initialise(reference=page.rail_reference, amount=page.amount)
    except Rejected as refusal:
        log.error(  # noqa: TRY400 - a refusal is no fault of the code's
            "rail.page_refused", rail=rail.provider, deposit=deposit, why=refusal.why
        )
        record = partial(
            deposits.refused, deposit=deposit, code=refusal.code, why=refusal.why, now=now
        )
    except CallFailed as failure:
        code = failure.code if isinstance(failure, Blocked) else ""
        log.warning("rail.no_page", rail=rail.provider, deposit=deposit, why=failure.why, code=code)
        record = partial(deposits.put_off, deposit=deposit, until=now + _SOON, why=failure.why)
    else:
        log.info("rail.page_made", rail=rail.provider, deposit=deposit)
        record = partial(
            deposits.opened,
            deposit=deposit,
            rail_reference=page.rail_reference,
            url=made.url,
            now=have.clock(),
        )
    transact(have.databases, record)


def _ask(have: Resources, rail: PaymentRail) -> None:
    now = have.clock()
    with have.databases() as session:
        if not have.anchor.holds(session):
            return
        pages = deposits.questions(session, provider=rail.provider, now=now, deposits_max=_DUE_MAX)
        payouts = withdrawals.questions(
            session, provider=rail.provider, now=now, withdrawals_max=_DUE_MAX
        )
    _each(pages, partial(_ask_page, have, rail))
    _each(payouts, partial(_ask_payout, have, rail))


def _ask_page(have: Resources, rail: PaymentRail, question: deposits.Question) -> None:
    now, deposit = have.clock(), question.id
    transact(have.databases, partial(deposits.asking, deposit=deposit, now=now))
    try:
        charge = rail.verify(reference=question.rail_reference)
    except CallFailed as failure:
        log.warning("rail.not_told", rail=rail.provider, deposit=deposit, why=failure.why)
        return
    log.info("rail.page_told", rail=rail.provider, deposit=deposit, state=charge.state)

    def record(session: Session) -> deposits.Settlement | None:
        settled = None
        match charge.state:
            case ChargeState.PAID:
                settled = deposits.paid(
                    session,
                    deposit=deposit,
                    rail_reference=question.rail_reference,
                    receipt=charge.receipt,
                    told=charge.amount,
                    cost=charge.cost,
                    now=have.clock(),
                )
            case ChargeState.DECLINED:
                deposits.declined(session, deposit=deposit, why=charge.why, now=have.clock())
            case ChargeState.REVERSED:
                deposits.given_back(session, deposit=deposit, why=charge.why, now=have.clock())
        deposits.answered(session, deposit=deposit, now=have.clock())
        return settled

    settled = have.do_with_money(record)
    if settled is not None and settled.case is not None:
        log.error("rail.for_staff", rail=rail.provider, deposit=deposit, case=settled.case)


# ----------------------------------------------------------------------------------- money out


def _pay_out(have: Resources, rail: PaymentRail) -> None:
    with have.databases() as session:
        due = withdrawals.due(
            session, provider=rail.provider, now=have.clock(), withdrawals_max=_DUE_MAX
        )
    _each(due, partial(_pay, have, rail))


def _pay(have: Resources, rail: PaymentRail, withdrawal: int) -> None:
    token_hash = hashlib.sha256(secrets.token_bytes(16)).digest()
    begin = partial(
        withdrawals.begin, withdrawal=withdrawal, token_hash=token_hash, now=have.clock()
    )
    payout = have.do_with_money(begin)
    if payout is None:
        return
    have.do_with_money(_sent(have, rail, payout))


def _sent(have: Resources, rail: PaymentRail, payout: Payout) -> Callable[[Session], object]:
    """Call the rail, once, and say what is to be recorded of it."""
    known = {"rail": rail.provider, "withdrawal": payout.id}
    try:
        told = rail.transfer(
            reference=theirs(payout.conversation),
            amount=payout.amount,
            payee=Payee.read(payout.payee),
            reason=_REASON,
        )
    except Rejected as refusal:
        log.warning("rail.payout_refused", why=refusal.why, **known)
        return partial(
            withdrawals.rejected,
            withdrawal=payout.id,
            code=refusal.code,
            why=refusal.why,
            now=have.clock(),
        )
    except Blocked as block:
        log.error("rail.payouts_stopped", code=block.code, why=block.why, **known)  # noqa: TRY400 - as above
        return partial(_stop, rail=rail, payout=payout.id, block=block, now=have.clock())
    except Unknown as doubt:
        log.warning("rail.payout_unsure", why=doubt.why, **known)
        return partial(withdrawals.unsure, withdrawal=payout.id, why=doubt.why, now=have.clock())
    except CallFailed as failure:
        log.warning("rail.payout_not_taken", why=failure.why, **known)
        until = have.clock() + _SOON
        return partial(withdrawals.postpone, withdrawal=payout.id, until=until, why=failure.why)
    log.info("rail.payout_taken", state=told.state, **known)
    return partial(_record, have=have, rail=rail, withdrawal=payout.id, told=told)


def _stop(
    session: Session, *, rail: PaymentRail, payout: int, block: Blocked, now: datetime
) -> None:
    """Pay nothing out for a while: what is wrong is on our side, and staff were told."""
    until = now + _BLOCKED
    withdrawals.postpone(session, withdrawal=payout, until=until, why=block.why)
    rails.open_breaker(
        session, provider=rail.provider, code=block.code, why=block.why, until=until, now=now
    )


def _ask_payout(have: Resources, rail: PaymentRail, question: withdrawals.Question) -> None:
    ask = partial(withdrawals.asking, withdrawal=question.id, now=have.clock())
    transact(have.databases, ask)
    known = {"rail": rail.provider, "withdrawal": question.id}
    try:
        told = rail.verify_transfer(reference=theirs(question.conversation))
    except CallFailed as failure:
        log.warning("rail.not_told", why=failure.why, **known)
        return
    log.info("rail.payout_told", state=told.state, **known)
    record = partial(_record, have=have, rail=rail, withdrawal=question.id, told=told)
    have.do_with_money(record)


def _record(
    session: Session, *, have: Resources, rail: PaymentRail, withdrawal: int, told: Transfer
) -> None:
    """Write down what a rail says of a payout."""
    now = have.clock()
    match told.state:
        case TransferState.PAID:
            came = withdrawals.complete(
                session,
                withdrawal=withdrawal,
                receipt=told.receipt,
                told=told.amount,
                now=now,
                confirmed=True,
            )
            if came.came is withdrawals.Came.DONE and told.cost is not None:
                deposits.book_cost(
                    session,
                    provider=rail.provider,
                    key=f"withdrawal:{withdrawal}",
                    cost=told.cost,
                    now=now,
                )
        case TransferState.FAILED:
            withdrawals.fail(
                session, withdrawal=withdrawal, code="failed", why=told.why, now=now, confirmed=True
            )
        case TransferState.REVERSED:
            withdrawals.returned(session, withdrawal=withdrawal, why=told.why, now=now)
        case TransferState.OPEN:
            withdrawals.sent(session, withdrawal=withdrawal, provider_ref=told.receipt, now=now)
            if told.why == _NEEDS_CODE:
                log.error("rail.transfer_wants_code", rail=rail.provider, withdrawal=withdrawal)
        case TransferState.ABSENT:
            withdrawals.not_found(session, withdrawal=withdrawal, now=now)
    withdrawals.answered(session, withdrawal=withdrawal, now=now)
