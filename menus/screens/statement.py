"""Statement: the newest entries, over pages, each with its detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from core import msisdn, statements
from core.ledger import Reason
from core.money import Money
from menus import clock
from menus.screen import AnyScreen, Hop, Pick, Tell, View
from menus.text import Text, _

LINES_MAX: Final = 20
# Where nobody is on the other side.
_NOBODY: Final = {
    Reason.HOLD: _("Set aside"),
    Reason.CAPTURE: _("Set aside"),
    Reason.RELEASE: _("Set aside, given back"),
    Reason.EXCHANGE: _("Exchanged"),
    Reason.VOUCHERS: _("Vouchers"),
    Reason.REDEMPTION: _("Voucher"),
    Reason.REFUND: _("Vouchers"),
    Reason.OPENING: _("Opening gift"),
}
_HOUSE: Final = Text("Kabambe")


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

    @property
    def other(self) -> Text:
        """Who is on the other side; where nobody is, what it was."""
        if self.name:
            return Text("{name}", {"name": self.name})
        return _NOBODY.get(Reason(self.reason), _HOUSE)

    @property
    def signed(self) -> str:
        return self.amount.figures if self.amount.minor < 0 else f"+{self.amount.figures}"


@dataclass(frozen=True)
class Statement(Pick[Item]):
    """The entries are fetched once and carried along, so that turning a page costs no SQL."""

    lines: tuple[Item, ...]
    fetched: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        if not self.lines:
            return _("Nothing here yet. What you send or receive will be listed here.")
        return _("Statement, KES. Pick one for details:")

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
class Detail(Tell):
    """One entry in full."""

    item: Item
    fetched: ClassVar[bool] = True

    def view(self, hop: Hop) -> View:
        item = self.item
        facts = {
            "amount": item.amount if item.amount.minor > 0 else -item.amount,
            "name": item.other,
            "number": item.number,
            "fee": item.fee,
            "balance": item.balance,
            "at": clock.date_and_time(item.at),
            "reference": item.reference,
        }
        if item.amount.minor > 0:
            return View(Text(_FROM.msgid, facts))
        return View(Text(_TO.msgid, facts))


_FROM: Final = _("{amount} from {name} {number}\n{at}\nBalance {balance}\nRef {reference}")
_TO: Final = _("{amount} to {name} {number}\nFee {fee}\n{at}\nBalance {balance}\nRef {reference}")


def latest(hop: Hop) -> AnyScreen:
    """Fetch the newest entries of the caller."""
    lines = statements.latest(hop.unit.reading, account=hop.caller.account_id, lines_max=LINES_MAX)
    return Statement(
        tuple(
            Item(
                at=line.at,
                amount=line.amount,
                fee=line.fee,
                balance=line.balance,
                reference=line.reference or "-",
                name=line.name,
                number=msisdn.masked(line.msisdn) if line.msisdn else "",
                reason=line.reason,
            )
            for line in lines
        )
    )
