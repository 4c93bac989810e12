"""B2C: payments from a shortcode's utility account to people, each told in a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from random import Random

from sandbox.daraja import wire
from sandbox.daraja.book import CHARGES, UTILITY, WORKING, Book, Transaction
from sandbox.daraja.callbacks import Callbacks
from sandbox.daraja.credentials import Initiators
from sandbox.daraja.faults import Script
from sandbox.daraja.fields import Fields
from sandbox.daraja.spoiling import Letter
from sandbox.daraja.terms import House, Quirks
from sandbox.daraja.wire import Refusal
from sandbox.errands import Errands

_REASONS = {
    "BusinessPayment": "Business Payment to Customer via API",
    "SalaryPayment": "Salary Payment via API",
    "PromotionPayment": "Promotion Payment via API",
}
TOLD = {
    "0": wire.OK,
    "1": "The balance is insufficient for the transaction.",
    "2": "Declined due to limit rule: less than the minimum transaction amount.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "4": "Declined due to limit rule: would exceed daily transfer limit.",
    "8": "Declined due to limit rule: would exceed the maximum balance.",
    "11": "The DebitParty is in an invalid state.",
    "17": "Internal failure.",
    "18": "Initiator Credential Check Failure.",
    "21": "The initiator is not allowed to initiate this request.",
    "26": "Traffic blocking condition in place.",
    "2001": "The initiator information is invalid.",
    "2006": "Declined due to account rule: The account status does not allow this transaction.",
    "2028": "The request is not permitted according to product assignment.",
    "2040": "Credit Party customer type (Unregistered or Registered Customer) can't be supported"
    " by the service.",
    "8006": "The security credential is locked.",
    "R000001": "The transaction has already been reversed.",
    "R000002": "The OriginalTransactionID is invalid.",
    "SFC_IC0003": "The operator does not exist.",
}


def told(code: str) -> str:
    """A result code in words."""
    return TOLD.get(code, "The service request could not be processed.")


@dataclass(frozen=True)
class Asked:
    """
    What every request that is answered by a result says.

    Args:
        originator: the id by which the asker knows it, or one of Safaricom's own.
        conversation: the id by which Safaricom knows it.
        initiator: who asks.
        credential: their password, encrypted.
        result_url: where the result goes.
        timeout_url: where it is told that there was none in time.

    """

    originator: str
    conversation: str
    initiator: str
    credential: str
    result_url: str
    timeout_url: str

    def ack(self) -> dict[str, object]:
        """Say that it was taken."""
        return {
            "ConversationID": self.conversation,
            "OriginatorConversationID": self.originator,
            "ResponseCode": "0",
            "ResponseDescription": wire.ACCEPTED,
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
        originator = self._book.ids.request()
        if version == "v3":
            originator = fields.matching("OriginatorConversationID", "[A-Za-z0-9_-]{1,40}")
        initiator = fields.text("InitiatorName", 100)
        credential = fields.text("SecurityCredential", 2_000)
        command = fields.one_of("CommandID", *_REASONS)
        amount = wire.two(fields.amount())
        shortcode = fields.shortcode("PartyA")
        msisdn = fields.msisdn("PartyB")
        fields.text("Remarks", 100, least=2)
        timeout_url, result_url = fields.url("QueueTimeOutURL"), fields.url("ResultURL")
        if len(fields.raw("Occassion")) > 100:  # noqa: PLR2004 -- documented so
            raise wire.invalid("Occassion")
        with self._book.lock:
            if originator in self._seen:
                raise Refusal(500, "500.002.1001", "Duplicate OriginatorConversationID.")
            self._seen.add(originator)
            asked = Asked(
                originator=originator,
                conversation=self._book.ids.conversation(at),
                initiator=initiator,
                credential=credential,
                result_url=result_url,
                timeout_url=timeout_url,
            )
            transaction = Transaction(
                receipt=self._book.ids.receipt(at),
                kind="b2c",
                shortcode=shortcode,
                msisdn=msisdn,
                amount=amount,
                initiated=at,
                reason=_REASONS[command],
                originator=originator,
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
        parameters: Sequence[dict[str, object]] = ()
        if code == "0":
            parameters = dressed(self._parameters(transaction), quirks, self._book.random)
        originator = asked.originator
        if quirks.gateway_originator:
            originator = self._book.ids.request()
        return wire.result(
            code=code,
            words=told(code),
            originator=originator,
            conversation=asked.conversation,
            transaction=transaction.receipt,
            parameters=parameters,
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


def dressed(
    parameters: list[tuple[str, object]], quirks: Quirks, random: Random
) -> list[dict[str, object]]:
    """List parameters in the order, and with the keys, that the quirks want."""
    if quirks.shuffled:
        parameters = random.sample(parameters, len(parameters))
    return wire.pairs(parameters)


def reference(api: str, quirks: Quirks) -> object:
    """The `ReferenceItem`, an object as a rule."""
    item = wire.came_from(api)
    return [item] if quirks.reference_array else item
