"""Statement: the newest entries of an account, over pages, each with its detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final

from core import msisdn, reversals, statements
from core.ledger import Reason
from core.money import Currency, Money
from core.reversals import ReversalState
from menus import clock
from menus.counterparts import counterpart
from menus.screen import AnyScreen, FactMenu, Hop, Option, Pick
from menus.screens import reversal
from menus.screens.reversal import Sent
from menus.text import Text, _

LINES_MAX: Final = 20
_NO_REFERENCE: Final = "-"
_ASKED: Final = {
    ReversalState.REQUESTED: _("You asked for it back. We will answer by SMS."),
    ReversalState.APPROVED: _("It came back to you."),
    ReversalState.DECLINED: _("It could not be brought back."),
}


@dataclass(frozen=True)
class Item:
    """One entry, as much of it as the list and its detail show."""

    at: datetime
    amount: Money
    fee: Money
    balance: Money
    reference: str
    name: str
    number: str
    reason: str = Reason.OPENING
    asked: ReversalState | None = None

    @property
    def other(self) -> Text:
        """Who is on the other side; where nobody is, what it was."""
        return counterpart(self.name, self.reason)

    @property
    def can_come_back(self) -> bool:
        """Whether it is money that the caller sent to somebody."""
        return (
            self.amount.minor < 0
            and self.reason in {Reason.TRANSFER, Reason.PAYMENT}
            and self.reference != _NO_REFERENCE
        )

    @property
    def signed(self) -> str:
        return self.amount.figures if self.amount.minor < 0 else f"+{self.amount.figures}"


@dataclass(frozen=True)
class Statement(Pick[Item]):
    """The entries are fetched once and carried along, so that turning a page costs no SQL."""

    lines: tuple[Item, ...]
    currency: Currency = Currency.KES
    fetched: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        if not self.lines:
            return _("Nothing here yet. What you send or receive will be listed here.")
        return _("Statement, {currency}. Pick one for details:", currency=self.currency)

    def items(self, hop: Hop) -> Sequence[Item]:
        return self.lines

    def label(self, item: Item) -> Text:
        return Text(
            "{day} {other} {amount}",
            {"day": clock.day(item.at), "other": item.other, "amount": item.signed},
        )

    def then(self, hop: Hop, answer: Item) -> Detail:
        return Detail(answer)


@dataclass(frozen=True)
class Detail(FactMenu):
    """One entry in full; money that was sent can be asked back, once, and the answer seen."""

    item: Item
    fetched: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        item = self.item
        if not item.name:
            return Text("{what}: {amount}", {"what": item.other, "amount": item.amount})
        facts = {"name": item.name, "number": item.number}
        if item.amount.minor > 0:
            return _("{amount} from {name} {number}", amount=item.amount, **facts)
        return _("{amount} to {name} {number}", amount=-item.amount, **facts)

    def options(self, hop: Hop) -> Sequence[Option]:
        if not self.item.can_come_back or self.item.asked is not None:
            return []
        item = self.item
        sent = Sent(item.reference, -item.amount, item.name, item.number)
        return [Option(_("Ask for it back"), lambda _hop: reversal.Why(sent))]

    def facts(self, hop: Hop) -> Sequence[Text]:
        item = self.item
        lines = [
            Text(clock.date_and_time(item.at)),
            _("Balance {balance}", balance=item.balance),
            _("Ref {reference}", reference=item.reference),
        ]
        if (item.name and item.amount.minor < 0) or item.fee.minor:
            lines.insert(0, _("Fee {fee}", fee=item.fee))
        if item.asked is not None:
            lines.append(_ASKED[item.asked])
        return lines


def latest(hop: Hop) -> AnyScreen:
    """Fetch the newest entries of the caller's shillings."""
    return of(hop, account=hop.caller.account_id, currency=Currency.KES)


def of(hop: Hop, *, account: int, currency: Currency) -> AnyScreen:
    """Fetch the newest entries of one of the caller's accounts."""
    lines = statements.latest(hop.unit.reading, account=account, lines_max=LINES_MAX)
    items = tuple(
        Item(
            at=line.at,
            amount=line.amount,
            fee=line.fee,
            balance=line.balance,
            reference=line.reference or _NO_REFERENCE,
            name=line.name,
            number=msisdn.masked(line.msisdn) if line.msisdn else "",
            reason=line.reason,
        )
        for line in lines
    )
    sent = [item.reference for item in items if item.can_come_back]
    if sent:
        asked = reversals.states(hop.unit.reading, subscriber=hop.caller.id, references=sent)
        items = tuple(replace(item, asked=asked.get(item.reference)) for item in items)
    return Statement(items, currency)
