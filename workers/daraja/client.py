"""
Calls Daraja. Every call is made once.

That one was accepted means that Safaricom has it, not that money moved: that is told later, to the
callback or to whoever asks.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from core.money import Money
from workers.daraja import answers, values
from workers.daraja.answers import BAD_TOKEN
from workers.daraja.token import Token
from workers.daraja.wire import Acknowledged
from workers.errors import Blocked, Unknown
from workers.transport import Answer, Timeouts, Transport

TIMEOUTS: Final = Timeouts(connect_seconds=3.05, read_seconds=15.0)

_ORGANISATION: Final = "4"
_RECEIVER: Final = "11"
_CENTS: Final = 100
_REMARKS: Final = "Kabambe"


class NotWhole(Exception):
    """Daraja takes whole shillings; nothing is rounded."""


@dataclass(frozen=True, slots=True)
class Account:
    """
    Who we are to Safaricom.

    Args:
        shortcode: The paybill that is paid.
        payout_shortcode: The one that pays out; it may be the same.
        initiator: The operator under whose name payouts and questions go.
        callbacks: Where Safaricom calls back, with the word that its callers must know.
        passkey: What prompts are signed with.
        credential: The initiator's password, enciphered.
    """

    shortcode: str
    payout_shortcode: str
    initiator: str
    callbacks: str
    passkey: str
    credential: str

    def __repr__(self) -> str:
        return f"Account({self.shortcode})"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a prompt ended, as a query tells it."""

    code: str
    why: str


class Daraja:
    """
    An account with Safaricom.

    Safe to share between threads. Make it in the process that calls. Nothing is ever repeated
    here but what was refused for its token, which is refused before it is read.
    """

    def __init__(
        self,
        *,
        url: str,
        account: Account,
        token: Token,
        clock: Callable[[], datetime],
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        """Take what it works with; nothing is called yet."""
        self.account = account
        self._url = url.rstrip("/")
        self._token = token
        self._clock = clock
        self._timeouts = timeouts
        self._transport = Transport(headers={"Accept": "application/json"})

    def prompt(self, *, payer: str, amount: Money, reference: str, token: str) -> str:
        """
        Ask a phone for its PIN (STK push).

        Args:
            payer: The number, in E.164.
            amount: Whole shillings.
            reference: What the payer reads: twelve letters and digits at most.
            token: The secret part of the address that is told how it ends.

        Returns:
            The id by which it can be asked about.

        Raises:
            Rejected, Blocked, Unreachable: Nobody was prompted.
            Unknown: Somebody may have been. Never call this again for the same payment.
        """
        body = self._signed() | {
            "TransactionType": "CustomerPayBillOnline",
            "Amount": _shillings(amount),
            "PartyA": int(payer.removeprefix("+")),
            "PartyB": int(self.account.shortcode),
            "PhoneNumber": int(payer.removeprefix("+")),
            "CallBackURL": f"{self.account.callbacks}/stk/{token}",
            "AccountReference": reference[:12],
            "TransactionDesc": _REMARKS,
        }
        told = self._post("/mpesa/stkpush/v1/processrequest", body, is_prompt=True)
        if told.checkout is None:
            raise Unknown("accepted, but without an id")
        return told.checkout

    def ask(self, *, checkout: str) -> Ending | None:
        """
        Ask how a prompt ended; None while Safaricom does not say.

        Raises:
            Rejected, Blocked, Unreachable, Unknown: It is not known any better than before.
        """
        body = self._signed() | {"CheckoutRequestID": checkout}
        told = self._post("/mpesa/stkpushquery/v1/query", body)
        return None if told.result is None else Ending(told.result, told.why)

    def pay(self, *, payee: str, amount: Money, conversation: str, token: str) -> str | None:
        """
        Pay somebody (B2C v3).

        Args:
            payee: The number, in E.164.
            amount: Whole shillings.
            conversation: Our own id of it, under which it is paid once at most.
            token: The secret part of the addresses that are told what became of it.

        Returns:
            Their id of it.

        Raises:
            Rejected, Blocked, Unreachable: It was not paid and will not be.
            Unknown: It may have been, or may yet be.
        """
        body = {
            "OriginatorConversationID": conversation,
            "InitiatorName": self.account.initiator,
            "SecurityCredential": self.account.credential,
            "CommandID": "BusinessPayment",
            "Amount": _shillings(amount),
            "PartyA": int(self.account.payout_shortcode),
            "PartyB": int(payee.removeprefix("+")),
            "Remarks": _REMARKS,
            "Occassion": _REMARKS,
        } | self._answered("b2c", token)
        return self._post("/mpesa/b2c/v3/paymentrequest", body).conversation

    def status(
        self,
        *,
        token: str,
        conversation: str | None = None,
        receipt: str | None = None,
        of_payouts: bool = True,
    ) -> str | None:
        """
        Ask what became of a payment, or of a reversal. The answer calls back.

        Args:
            token: The answer's address holds it.
            conversation: The asker's id of it; or else:
            receipt: What M-Pesa calls a payment to our paybill.
            of_payouts: Whether what has such an id is a payout, and no reversal.

        Returns:
            What Safaricom calls the question.

        Raises:
            Rejected, Blocked, Unreachable, Unknown: There may be no answer.
        """
        is_payout = conversation is not None and of_payouts
        shortcode = self._payouts if is_payout else self.account.shortcode
        body = (
            self._initiated("TransactionStatusQuery")
            | {"PartyA": shortcode, "IdentifierType": _ORGANISATION, "Occasion": _REMARKS}
            | ({"OriginalConversationID": conversation} if conversation else {})
            | ({"TransactionID": receipt} if receipt else {})
            | self._answered("status", token)
        )
        return self._post("/mpesa/transactionstatus/v1/query", body).conversation

    def balance(self, *, token: str, of_payouts: bool = True) -> str | None:
        """
        Ask what our accounts hold. The answer calls back.

        Returns:
            What Safaricom calls the question.

        Raises:
            Rejected, Blocked, Unreachable, Unknown: There may be no answer.
        """
        shortcode = self._payouts if of_payouts else self.account.shortcode
        body = (
            self._initiated("AccountBalance")
            | {"PartyA": shortcode, "IdentifierType": _ORGANISATION}
            | self._answered("balance", token)
        )
        return self._post("/mpesa/accountbalance/v1/query", body).conversation

    def reverse(self, *, receipt: str, amount: Money, token: str) -> str | None:
        """
        Give a payment to our paybill back to who made it. The answer calls back.

        Returns:
            The id that Safaricom gives whoever asks, by which one may ask what became of it.

        Raises:
            Rejected, Blocked, Unreachable: It was not given back.
            Unknown: It may have been.
        """
        body = (
            self._initiated("TransactionReversal")
            | {
                "TransactionID": receipt,
                "Amount": str(_shillings(amount)),
                "ReceiverParty": self.account.shortcode,
                "RecieverIdentifierType": _RECEIVER,
            }
            | self._answered("reversal", token)
        )
        return self._post("/mpesa/reversal/v1/request", body).originator

    def qr(self, *, name: str, till: str, amount: Money | None) -> bytes:
        """
        Have a QR code drawn that pays a till through our paybill.

        Raises:
            Rejected, Blocked, Unreachable, Unknown: There is none.
        """
        body = {
            "MerchantName": name,
            "RefNo": till,
            "Amount": 0 if amount is None else _shillings(amount),
            "TrxCode": "PB",
            "CPI": self.account.shortcode,
            "Size": "300",
        }
        told = self._post("/mpesa/qrcode/v1/generate", body, accepted=("0", "00"))
        try:
            return base64.b64decode(told.picture or "", validate=True)
        except ValueError:
            raise Unknown("accepted, but the picture is none") from None

    def register(self, *, accepts_unsure: bool) -> None:
        """
        Tell Safaricom where payments to our paybill are asked about and told. In production once.

        Args:
            accepts_unsure: What becomes of a payment about which we do not answer in time.

        Raises:
            Rejected: It has addresses already; only Safaricom's portal changes them.
            Blocked, Unreachable, Unknown: It may not have been registered.
        """
        body = {
            "ShortCode": self.account.shortcode,
            "ResponseType": "Completed" if accepts_unsure else "Cancelled",
            "ConfirmationURL": f"{self.account.callbacks}/c2b/confirmation",
            "ValidationURL": f"{self.account.callbacks}/c2b/validation",
        }
        self._post("/mpesa/c2b/v2/registerurl", body)

    def close(self) -> None:
        """Hang up the pooled connections."""
        self._transport.close()
        self._token.close()

    @property
    def _payouts(self) -> str:
        return self.account.payout_shortcode

    def _signed(self) -> dict[str, Any]:
        """What every prompt, and every question about one, begins with."""
        at = self._clock().astimezone(values.NAIROBI).strftime("%Y%m%d%H%M%S")
        return {
            "BusinessShortCode": int(self.account.shortcode),
            "Password": password(self.account.shortcode, self.account.passkey, at),
            "Timestamp": at,
        }

    def _initiated(self, command: str) -> dict[str, Any]:
        return {
            "Initiator": self.account.initiator,
            "SecurityCredential": self.account.credential,
            "CommandID": command,
            "Remarks": _REMARKS,
        }

    def _answered(self, what: str, token: str) -> dict[str, Any]:
        about = f"{self.account.callbacks}/{what}/{token}"
        return {"ResultURL": f"{about}/result", "QueueTimeOutURL": f"{about}/timeout"}

    def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        is_prompt: bool = False,
        accepted: tuple[str, ...] = ("0",),
    ) -> Acknowledged:
        token = self._token.current()
        answer = self._send(path, body, token)
        if answers.is_refused_for_its_token(answer):
            answer = self._send(path, body, self._token.current(ended=token))
            if answers.is_refused_for_its_token(answer):
                why = f"HTTP {answer.status}: a new token is refused, too"
                raise Blocked(f"{why}; is the product enabled for the app?", BAD_TOKEN)
        return answers.judge(answer, is_prompt=is_prompt, accepted=accepted)

    def _send(self, path: str, body: Mapping[str, Any], token: str) -> Answer:
        return self._transport.request(
            "POST",
            self._url + path,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            data=orjson.dumps(body),
            params=None,
            timeouts=self._timeouts,
        )


def password(shortcode: str, passkey: str, at: str) -> str:
    """Sign a prompt of a moment (`20210628092408`)."""
    return base64.b64encode(f"{shortcode}{passkey}{at}".encode()).decode()


def _shillings(amount: Money) -> int:
    """
    Whole shillings, as Daraja takes them.

    Raises:
        NotWhole: There are cents in it. The core refuses such long before.
    """
    shillings, cents = divmod(amount.minor, _CENTS)
    if cents or shillings < 0:
        raise NotWhole
    return shillings
