"""
Understanding what people write to us by SMS: each letter in one transaction, with its answer.

Whoever asks for money to move hears what became of it. Other answers are few a day, as two
machines must not talk for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.orm import Session

from core import (
    chart,
    codes,
    ledger,
    merchants,
    messages,
    msisdn,
    otp_codes,
    outbox,
    rates,
    sms_orders,
    statements,
    strangers,
    subscribers,
    voucher_tries,
    vouchers,
)
from core.audit import Actor
from core.codes import InvalidVoucherCode
from core.errors import DomainError
from core.inbox import Letter
from core.ledger import UnknownAccount
from core.money import Currency, Money
from core.orders import Kind, Outcome
from core.outbox import Event, Fact
from core.rates import RateStale
from core.subscribers import Language, Person
from menus import keywords, notices
from menus.gsm7 import SMS_SEPTETS_MAX, septets
from menus.keywords import Ask, Keyword, Pay, Send, Speak, Unclear
from workers.resources import Resources

log = structlog.get_logger(__name__)

_DAY: Final = timedelta(days=1)
# What the aggregator tells again is at least so old: help.africastalking.com, 742510.
_AGAIN: Final = timedelta(minutes=1)
# How many answers a number gets in a day that move nothing, and how many of any kind: no person
# writes so many, and what nobody will be told of is not done either.
_ANSWERS_MAX: Final = 20
_ANSWERS_AND_ORDERS_MAX: Final = 70
# One more than there are tries at a voucher's code.
_REFUSALS_MAX: Final = voucher_tries.TRIES_MAX + 1
_LINES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Writing:
    """A letter of a subscriber's, and what is needed to answer it."""

    session: Session
    have: Resources
    letter: Letter
    person: Person
    now: datetime

    @property
    def key(self) -> str:
        """What makes a letter that is understood twice order once."""
        return f"sms:{self.letter.id}"

    @property
    def actor(self) -> Actor:
        """Who does what this letter asks for, for the audit log."""
        return Actor(self.person.msisdn, "sms", self.key)

    @property
    def written_at(self) -> datetime:
        """When it was written; when it came, where the aggregator did not say in a way we know."""
        return _written_at(self.letter)

    def tell(
        self, event: Event, facts: dict[str, object], *, language: Language | None = None
    ) -> None:
        """Answer in the person's language."""
        said = (language or self.person.language).value
        fact = Fact(event, self.person.msisdn, said, facts)
        outbox.stage(self.session, facts=[fact], now=self.now)


def _written_at(letter: Letter) -> datetime:
    try:
        date = datetime.fromisoformat(letter.form.get("date", ""))
    except ValueError:
        return letter.received_at
    return date if date.tzinfo is not None else letter.received_at


def understand(session: Session, letter: Letter, *, have: Resources, now: datetime) -> None:
    """
    Do what an SMS asks for, and answer it.

    A short code or a word as sender gets no answer.
    """
    try:
        number = msisdn.claimed(letter.form["from"])
    except DomainError:
        log.info("sms.sender_is_no_phone")
        return
    said = letter.form.get("text", "")
    person = subscribers.find(session, msisdn=number)
    answered = outbox.answers_given(session, msisdn=number, since=now - _DAY)
    command = keywords.parse(said)
    if isinstance(command, Ask) and command.keyword in (Keyword.STOP, Keyword.START):
        language = (person.language if person else keywords.language_of(said)) or Language.ENGLISH
        answers = _offers(session, letter, number, command.keyword)
        if person is not None and keywords.PIN in said:
            answers.append(Event.SMS_PIN_SENT)
        if answered < _ANSWERS_MAX:
            facts = [Fact(event, number, language.value, {}) for event in answers]
            outbox.stage(session, facts=facts, now=now)
    elif person is None:
        if not answered:
            language = keywords.language_of(said) or Language.ENGLISH
            fact = Fact(Event.SMS_STRANGER, number, language.value, {})
            outbox.stage(session, facts=[fact], now=now)
    else:
        _answer(Writing(session, have, letter, person, now), said, answered=answered)


def opt_out(session: Session, letter: Letter) -> None:
    """Send somebody no more offers, as the aggregator was told."""
    try:
        number = msisdn.claimed(letter.form["phoneNumber"])
    except DomainError:
        log.warning("sms.optout_is_no_phone")
        return
    messages.opt_out(session, msisdn=number, at=letter.received_at)


def subscription(session: Session, letter: Letter) -> None:
    """Take somebody's subscription at the aggregator, or its end, for their word on offers."""
    try:
        number = msisdn.claimed(letter.form["phoneNumber"])
    except DomainError:
        log.warning("sms.optout_is_no_phone")
        return
    match letter.form["updateType"].lower():
        case "addition":
            messages.opt_in(session, msisdn=number, at=letter.received_at)
        case "deletion":
            messages.opt_out(session, msisdn=number, at=letter.received_at)
        case _:
            log.warning("sms.subscription_unknown")


def _offers(session: Session, letter: Letter, number: str, keyword: Keyword) -> list[Event]:
    """
    Send offers, or none, to whoever has the number, subscriber or not; return the answer.

    The word that was written last counts: what we did not acknowledge comes again a minute later,
    behind others. Of what comes at once we know better than the aggregator, which tells seconds.
    """
    written_at = _written_at(letter)
    is_late = letter.received_at - written_at >= _AGAIN
    at = written_at if is_late else letter.received_at
    if keyword is Keyword.STOP:
        messages.opt_out(session, msisdn=number, at=at)
        return [Event.SMS_STOPPED]
    messages.opt_in(session, msisdn=number, at=at)
    return [Event.SMS_STARTED]


def _answer(writing: Writing, said: str, *, answered: int) -> None:
    """Answer a subscriber."""
    if vouchers_sent := codes.mentioned(said):
        for place, hashed in enumerate(vouchers_sent, start=1):
            _redeem(writing, hashed, key=writing.key if place == 1 else f"{writing.key}:{place}")
        if keywords.PIN in said:
            writing.tell(Event.SMS_PIN_SENT, {})
        return
    command = keywords.parse(said)
    veiled = otp_codes.mentioned(said)
    is_money = veiled is not None or isinstance(command, Send | Pay)
    if answered >= (_ANSWERS_AND_ORDERS_MAX if is_money else _ANSWERS_MAX):
        return
    if veiled is not None:
        _confirm(writing, veiled)
    elif isinstance(command, Send | Pay):
        _order(writing, command)
    elif keywords.PIN in said:
        writing.tell(Event.SMS_PIN_SENT, {})
    elif keywords.CODE in said:
        _refuse(writing, InvalidVoucherCode())
    else:
        _inform(writing, command)


def _inform(writing: Writing, command: keywords.Command | None) -> None:
    """Answer what moves no money."""
    match command:
        case Ask(Keyword.BALANCE):
            writing.tell(Event.SMS_BALANCES, _balances(writing))
        case Ask(Keyword.MINI):
            writing.tell(Event.SMS_MINI, _mini(writing))
        case Ask(Keyword.RATE):
            _rates(writing)
        case Ask(Keyword.HELP):
            writing.tell(Event.SMS_HELP, {})
        case Speak(language):
            subscribers.set_language(
                writing.session,
                subscriber=writing.person.id,
                language=language,
                actor=writing.actor,
                now=writing.now,
            )
            writing.tell(Event.SMS_LANGUAGE_SET, {}, language=language)
        case Unclear(keyword):
            writing.tell(Event.SMS_UNCLEAR, {"keyword": keyword.value})
        case _:
            _not_understood(writing)


def _not_understood(writing: Writing) -> None:
    event = Event.SMS_NOT_UNDERSTOOD
    since = writing.now - _DAY
    number = writing.person.msisdn
    if not outbox.times_told(writing.session, event=event, msisdn=number, since=since):
        writing.tell(event, {})


def _refuse(writing: Writing, error: DomainError) -> None:
    """Say why something cannot be had, six times a day at most."""
    event, since = Event.SMS_REFUSED, writing.now - _DAY
    number = writing.person.msisdn
    times = outbox.times_told(writing.session, event=event, msisdn=number, since=since)
    if times < _REFUSALS_MAX:
        writing.tell(event, {"refusal": Outcome.refused(0, error).facts})


def _redeem(writing: Writing, hashed: bytes, *, key: str) -> None:
    """Order the money of a voucher whose code was sent to us; the receipt is the answer."""
    session, person, now = writing.session, writing.person, writing.now
    try:
        found = vouchers.find_hashed(
            session, person=person, hashed=hashed, actor=writing.actor, now=now
        )
    except DomainError as error:
        _refuse(writing, error)
        return
    vouchers.order(session, subscriber=person.id, found=found, key=key, now=now)


def _order(writing: Writing, command: Send | Pay) -> None:
    """Order money, or send the code that confirms it; the receipt, or the code, is the answer."""
    session = writing.session
    try:
        sms_orders.order(
            session,
            sender=writing.person,
            recipient=_recipient(writing, command),
            amount=command.amount,
            kind=Kind.TRANSFER if isinstance(command, Send) else Kind.PAYMENT,
            bounds=writing.have.by_sms,
            key=writing.key,
            otp_key=writing.have.otp_key,
            written_at=writing.written_at,
            now=writing.now,
        )
    except DomainError as error:
        refusal = Outcome.refused(0, error).facts
        facts = {"refusal": refusal, "amount": command.amount.minor}
        writing.tell(Event.SMS_ORDER_REFUSED, facts)


def _recipient(writing: Writing, command: Send | Pay) -> Person:
    if isinstance(command, Pay):
        return merchants.at_till(writing.session, till=command.till)
    return strangers.find(
        writing.session,
        number=command.to,
        person=writing.person,
        actor=writing.actor,
        now=writing.now,
        counting=lambda: writing.session,
    )


def _confirm(writing: Writing, veiled: bytes) -> None:
    """Order what the code stands for. A wrong one's try is kept: nothing here is undone."""
    try:
        sms_orders.confirm(
            writing.session,
            sender=writing.person,
            veiled=veiled,
            bounds=writing.have.by_sms,
            key=writing.key,
            otp_key=writing.have.otp_key,
            actor=writing.actor,
            now=writing.now,
        )
    except DomainError as error:
        writing.tell(Event.SMS_ORDER_REFUSED, {"refusal": Outcome.refused(0, error).facts})


def _balances(writing: Writing) -> dict[str, object]:
    """What they have, shillings first; of other currencies those they have something of."""
    found: list[Money] = []
    for currency in Currency:
        path = chart.MAIN.named(currency, owner=writing.person.id)
        try:
            balance = ledger.balance(writing.session, path=path)
        except UnknownAccount:
            continue
        if balance.minor or currency is Currency.KES:
            found.append(balance)
    kept = [[balance.currency.value, balance.minor] for balance in found]
    return {"balances": kept, "at": writing.now.isoformat()}


def _mini(writing: Writing) -> dict[str, object]:
    """Their newest movements, as many as one message holds."""
    person = writing.person
    newest = statements.latest(writing.session, account=person.account_id, lines_max=_LINES_MAX)
    lines = [
        {
            "at": line.at.isoformat(),
            "amount": line.amount.minor,
            "name": line.name,
            "reason": line.reason,
        }
        for line in newest
    ]
    while True:
        facts: dict[str, object] = {"lines": lines, "balance": person.balance.minor}
        words = notices.words(Event.SMS_MINI, facts, person.language)
        if septets(words) <= SMS_SEPTETS_MAX:
            return facts
        lines.pop()


def _rates(writing: Writing) -> None:
    known: list[list[object]] = []
    for currency in Currency:
        if currency is Currency.KES:
            continue
        try:
            sells, buys = rates.in_shillings(writing.session, currency=currency, now=writing.now)
        except RateStale:
            continue
        known.append([currency.value, sells.minor, buys.minor])
    if known:
        writing.tell(Event.SMS_RATES, {"rates": known, "at": writing.now.isoformat()})
    else:
        _refuse(writing, RateStale())
