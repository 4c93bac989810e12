"""
What the page of a payment link says to whoever opens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.payment_links import Link, LinkState
from core.subscribers import Language
from menus.text import Text, _

_OVER: Final[Mapping[LinkState, Text]] = {
    LinkState.TAKEN: _("Somebody is paying this at the moment."),
    LinkState.PAID: _("This was paid already. Thank you."),
    LinkState.EXPIRED: _("The time to pay this is over. Ask the shop for another link."),
    LinkState.CLOSED: _("The shop has closed this link. Ask them for another."),
}
_ANY_AMOUNT: Final = _("You say how much")


@dataclass(frozen=True, slots=True)
class Page:
    """The words of a page; `over` says why it cannot be paid, and is empty where it can."""

    title: str
    amount: str
    memo: str
    over: str
    by_app: str
    by_phone: str
    steps: Sequence[str]
    till: str
    code: str


def page(link: Link, language: Language) -> Page:
    """Say a link in a language."""

    def said(text: Text) -> str:
        return text.render(language)

    how_much = link.amount or said(_ANY_AMOUNT)
    steps = (
        _("Dial *384#"),
        _("Choose More services, then Pay a till"),
        _("Till number {till}", till=link.till),
        _("Amount: {amount}", amount=how_much),
        _("Check the name: {name}. Then type your PIN.", name=link.payee),
    )
    over = _OVER.get(link.state)
    return Page(
        title=said(_("Pay {name}", name=link.shop)),
        amount=str(how_much),
        memo=link.memo,
        over="" if over is None else said(over),
        by_app=said(_("With the Kabambe app: scan this code.")),
        by_phone=said(_("On any phone:")),
        steps=[said(step) for step in steps],
        till=link.till,
        code=link.code,
    )
