"""What all requests have in common that are answered by a result, and how results are dressed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from sandbox.daraja import wire
from sandbox.daraja.fields import Fields
from sandbox.daraja.terms import Quirks
from sandbox.daraja.wire import Ids

_SPACED = {
    "OriginatorConversationID": "Originator Conversation ID",
    "ConversationID": "Conversation ID",
    "TransactionStatus": "Transaction Status",
    "ReceiptNo": "Receipt No",
    "DebitPartyName": "Debit Party Name",
    "CreditPartyName": "Credit Party Name",
    "TransactionReceipt": "Transaction Receipt",
    "TransactionAmount": "Transaction Amount",
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
        command: what they want.
        remarks: what they say of it.
        result_url: where the result goes.
        timeout_url: where it is told that there was none in time.

    """

    originator: str
    conversation: str
    initiator: str
    credential: str
    command: str
    remarks: str
    result_url: str
    timeout_url: str

    @classmethod
    def read(
        cls,
        fields: Fields,
        ids: Ids,
        *,
        commands: Iterable[str],
        originator: str = "",
        initiator: str = "Initiator",
    ) -> Asked:
        """
        Read these fields of a request.

        Args:
            fields: the request.
            ids: makes those of Safaricom's side.
            commands: what may be its command.
            originator: the asker's own id, where they have one.
            initiator: what the field is called that says who asks.

        """
        return cls(
            originator=originator or ids.request(),
            conversation=ids.conversation(wire.now()),
            initiator=fields.text(initiator, 100),
            credential=fields.text("SecurityCredential", 2_000),
            command=fields.one_of("CommandID", *commands),
            remarks=fields.text("Remarks", 100, least=2),
            timeout_url=fields.url("QueueTimeOutURL"),
            result_url=fields.url("ResultURL"),
        )

    def ack(self) -> dict[str, object]:
        """Say that it was taken."""
        return {
            "ConversationID": self.conversation,
            "OriginatorConversationID": self.originator,
            "ResponseCode": "0",
            "ResponseDescription": wire.ACCEPTED,
        }


def dressed(parameters: list[tuple[str, object]], quirks: Quirks, random: Random) -> object:
    """List parameters in the order, and with the keys, that the quirks want."""
    if quirks.bare_parameter and not parameters:
        return {"Key": "BOCompletedTime", "Value": int(wire.stamp(wire.now()))}
    if quirks.shuffled:
        parameters = random.sample(parameters, len(parameters))
    if quirks.spaced_keys:
        parameters = [(_SPACED.get(key, key), value) for key, value in parameters]
    return wire.pairs(parameters)


def reference(api: str, quirks: Quirks) -> object:
    """The `ReferenceItem`, an object as a rule."""
    item = wire.came_from(api)
    return [item] if quirks.reference_array else item
