"""B2C: payments from a shortcode's utility account to people, each told in a result."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial

from sandbox.daraja import wire
from sandbox.daraja.asked import Asked, dressed, reference, told
from sandbox.daraja.book import CHARGES, UTILITY, WORKING, Book, Transaction
from sandbox.daraja.callbacks import Callbacks
from sandbox.daraja.credentials import Initiators
from sandbox.daraja.faults import Script
from sandbox.daraja.fields import Fields
from sandbox.daraja.spoiling import Letter
from sandbox.daraja.terms import House
from sandbox.daraja.wire import Refusal
from sandbox.errands import Errands

_REASONS = {
    "BusinessPayment": "Business Payment to Customer via API",
    "SalaryPayment": "Salary Payment via API",
    "PromotionPayment": "Promotion Payment via API",
}


class Payouts:
    """Takes B2C requests, carries each out once, and tells."""

    def __init__(
        self,
        *,
        book: Book,
        house: House,
        callbacks: Callbacks,
        errands: Errands,
        initiators: Initiators,
    ) -> None:
        self._book = book
        self._house = house
        self._callbacks = callbacks
        self._errands = errands
        self._initiators = initiators
        self._seen: set[str] = set()

    def request(self, fields: Fields, script: Script, *, version: str = "v3") -> dict[str, object]:
        """Take a request; in v3 an id that was taken before is refused."""
        at = wire.now()
        originator = ""
        if version == "v3":
            originator = fields.matching("OriginatorConversationID", "[A-Za-z0-9_-]{1,40}")
        asked = Asked.read(
            fields,
            self._book.ids,
            commands=_REASONS,
            originator=originator,
            initiator="InitiatorName",
        )
        amount = wire.two(fields.amount())
        shortcode = fields.shortcode("PartyA")
        msisdn = fields.msisdn("PartyB")
        if len(fields.raw("Occassion")) > 100:  # noqa: PLR2004 -- documented so
            raise wire.invalid("Occassion")
        with self._book.lock:
            if asked.originator in self._seen:
                raise Refusal(500, "500.002.1001", "Duplicate OriginatorConversationID.")
            self._seen.add(asked.originator)
            transaction = Transaction(
                receipt=self._book.ids.receipt(at),
                kind="b2c",
                shortcode=shortcode,
                msisdn=msisdn,
                amount=amount,
                initiated=at,
                reason=_REASONS[asked.command],
                originator=asked.originator,
                conversation=asked.conversation,
            )
            self._book.add(transaction)
        callback = script.callback
        if callback is not None and callback.kind == "forged":
            receipt = self._book.ids.receipt(at)
            forged = replace(transaction, receipt=receipt, completed=at)
            self._callbacks.forge(self._letter(asked, forged, "0"), ours=callback.address == "own")
        if callback is not None and callback.kind == "first":
            letter = self._carry_out(asked, transaction, script)
            self._callbacks.post(letter)
        else:
            self._errands.later(
                self._house.terms.result_after,
                partial(self._later, asked, transaction, script),
            )
        return asked.ack()

    def _later(self, asked: Asked, transaction: Transaction, script: Script) -> None:
        self._callbacks.send(self._carry_out(asked, transaction, script), script.callback)

    def _carry_out(self, asked: Asked, transaction: Transaction, script: Script) -> Letter:
        """Move the money, or not; and make the letter that tells."""
        at = wire.now()
        with self._book.lock:
            code = script.outcome or self._initiators.judged(asked.initiator, asked.credential)
            if code == "0" and transaction.shortcode not in self._book.organisations:
                code = "2006"
            if code == "0":
                code = self._book.pay(transaction, at=at)
            else:
                self._book.refuse(transaction, code, at)
            return self._letter(asked, transaction, code)

    def _letter(self, asked: Asked, transaction: Transaction, code: str) -> Letter:
        failed = self._result(asked, transaction, "2001" if code == "0" else code)
        paid = self._result(asked, transaction, "0")
        return Letter(
            kind="b2c",
            url=asked.result_url,
            body=paid if code == "0" else failed,
            shortcode=transaction.shortcode,
            timeout_url=asked.timeout_url,
            contrary=failed if code == "0" else paid,
        )

    def _result(self, asked: Asked, transaction: Transaction, code: str) -> dict[str, object]:
        quirks = self._house.terms.quirks
        parameters = self._parameters(transaction) if code == "0" else []
        originator = asked.originator
        if quirks.gateway_originator:
            originator = self._book.ids.request()
        return wire.result(
            code=code,
            words=told(code),
            originator=originator,
            conversation=asked.conversation,
            transaction=transaction.receipt,
            parameters=dressed(parameters, quirks, self._book.random),
            reference=reference("b2cresults", quirks),
        )

    def _parameters(self, transaction: Transaction) -> list[tuple[str, object]]:
        organisation = self._book.organisations.get(transaction.shortcode)
        accounts = {} if organisation is None else organisation.accounts
        whole = transaction.amount == transaction.amount.to_integral_value()
        amount = int(transaction.amount) if whole else transaction.amount
        at = transaction.completed or transaction.initiated
        zero = Decimal("0.00")
        return [
            ("TransactionAmount", amount),
            ("TransactionReceipt", transaction.receipt),
            ("ReceiverPartyPublicName", self._book.wallet(transaction.msisdn).public_name),
            ("TransactionCompletedDateTime", wire.dotted(at)),
            ("B2CUtilityAccountAvailableFunds", accounts.get(UTILITY, zero)),
            ("B2CWorkingAccountAvailableFunds", accounts.get(WORKING, zero)),
            ("B2CRecipientIsRegisteredCustomer", "Y"),
            ("B2CChargesPaidAccountAvailableFunds", accounts.get(CHARGES, zero)),
        ]
