"""A rail as it stands: its book, its faults, its webhooks, and its own way of saying things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sandbox.rails.book import Book, Charge, Transfer, TransferStatus
from sandbox.rails.faults import Faults, News, Script
from sandbox.rails.webhooks import Webhooks

Event = Mapping[str, object]


class Dialect(Protocol):
    """How a rail words what happened."""

    def charge_event(self, charge: Charge) -> Event | None:
        """Say what became of a charge; None where the rail says nothing of such."""
        ...

    def transfer_event(self, transfer: Transfer) -> Event:
        """Say what became of a payout."""
        ...

    def refund_event(self, charge: Charge) -> Event:
        """Say that a charge was given back."""
        ...


@dataclass(frozen=True)
class Rail:
    """One of the two, whole."""

    name: str
    book: Book
    faults: Faults
    webhooks: Webhooks
    dialect: Dialect

    def pay(self, reference: str, *, is_good: bool) -> Charge | None:
        """Let the person at the page pay, or fail to."""
        script = self.faults.take("pay")
        charge = self.book.pay(
            reference, amount=script.amount, currency=script.currency, is_good=is_good
        )
        if charge is not None:
            event = self.dialect.charge_event(charge)
            if event is not None:
                self.webhooks.send(event, script.news)
        return charge

    def give_back(self, reference: str) -> Charge | None:
        """Refund a charge."""
        charge = self.book.give_back(reference)
        if charge is not None:
            self.webhooks.send(self.dialect.refund_event(charge), None)
        return charge

    def begin(self, transfer: Transfer, script: Script) -> None:
        """See to it that a payout ends as it is meant to."""
        outcome = script.outcome or "paid"
        if outcome in ("open", "otp"):
            if outcome == "otp":
                self.book.end_transfer(transfer.reference, "otp", "")
            return
        first: TransferStatus = "failed" if outcome == "failed" else "paid"
        if script.news is not None and script.news.kind == "first":
            self.end(transfer.reference, status=first, news=script.news)
            return

        def later(times: int, status: TransferStatus) -> None:
            after = self.webhooks.pace.transfer_after * times

            def end() -> None:
                self.end(transfer.reference, status=status, news=script.news)

            self.webhooks.later(after, end)

        later(1, first)
        if outcome == "reversed":
            later(2, "reversed")

    def end(
        self, reference: str, *, status: TransferStatus, news: News | None = None
    ) -> Transfer | None:
        """Let a payout arrive, fail, or come back."""
        why = {"failed": "Account is dormant", "reversed": "Returned by the bank"}
        transfer = self.book.end_transfer(reference, status, why.get(status, "Successful"))
        if transfer is not None and status in ("paid", "failed", "reversed"):
            self.webhooks.send(self.dialect.transfer_event(transfer), news)
        return transfer
