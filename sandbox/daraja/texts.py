"""M-PESA's own SMS, which people get for what they paid and got."""

from __future__ import annotations

import uuid

from sandbox.africastalking.messages import Messages
from sandbox.daraja.book import Book, Transaction
from sandbox.daraja.terms import House

_SENDER = "MPESA"


class Texts:
    """Sends them to handsets straight, as Safaricom needs no aggregator."""

    def __init__(self, book: Book, house: House, messages: Messages) -> None:
        self._book = book
        self._house = house
        self._messages = messages

    def tell(self, of: Transaction) -> None:
        """Tell the person of a transaction that is done, if there is one."""
        if of.msisdn and self._house.terms.texts:
            self._messages.add(
                message_id=f"MPESA_{uuid.uuid4().hex}",
                to="+" + of.msisdn,
                sender=_SENDER,
                text=self._words(of),
            )

    def _words(self, of: Transaction) -> str:
        wallet = self._book.wallet(of.msisdn)
        name = self._book.organisations[of.shortcode].name
        at = of.completed or of.initiated
        when = f"on {at.day}/{at.month}/{at:%y} at {at:%I:%M %p}".replace(" at 0", " at ")
        left = f"New M-PESA balance is Ksh{wallet.balance:,.2f}."
        amount = f"Ksh{of.amount:,.2f}"
        match of.kind:
            case "c2b":
                what = f"{amount} sent to {name} for account {of.account} {when}."
            case "b2c":
                what = f"You have received {amount} from {name} {when}."
            case _:
                what = f"{amount} of {of.linked} has been reversed to you {when}."
        return f"{of.receipt} Confirmed. {what} {left}"
