"""
M-PESA Express: prompts on phones, and what becomes of them.

Whoever holds the phone answers: a person on the phone page, a door, or the number's habit. The
numbers `254700` and six digits do by themselves what their digits say as a result code:
`254700001032` cancels, `254700001037` never answers, `254700002001` mistypes its PIN,
`254700000000` pays.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from sandbox.daraja import wire
from sandbox.daraja.book import Book, Transaction, Wallet
from sandbox.daraja.callbacks import Callbacks
from sandbox.daraja.faults import Script
from sandbox.daraja.fields import Fields
from sandbox.daraja.paybill import Paybill
from sandbox.daraja.spoiling import Letter
from sandbox.daraja.terms import House
from sandbox.daraja.wire import Refusal
from sandbox.errands import Errands

_PROMPTS_MAX = 50_000
_STAMP = "20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])([0-5][0-9]){2}"
_MAGIC = "254700"
_FIRST_SECONDS = 15.0
_PROMPT_WORDS_MAX = 182

TOLD = {
    "0": wire.OK,
    "1": "The balance is insufficient for the transaction.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "4": "Declined due to limit rule: would exceed daily transfer limit.",
    "8": "Declined due to limit rule: would exceed the maximum balance.",
    "17": "Rule limited.",
    "1019": "Transaction has expired.",
    "1025": "An error occurred while sending a push request.",
    "1032": "Request cancelled by user",
    "1037": "No response from user.",
    "2001": "The initiator information is invalid.",
    "2028": "The request is not permitted according to product assignment.",
    "8006": "The security credential is locked.",
    "9999": "An error occurred while sending a push request.",
    "SFC_IC0003": "The operator does not exist.",
}
_ASKED = {"1037": "DS timeout user cannot be reached."}
"""What a query says in other words than the callback."""


@dataclass
class Prompt:
    """One prompt, from the push to its end."""

    checkout: str
    merchant: str
    transaction: Transaction
    callback_url: str
    script: Script
    words: str
    at: datetime
    code: str = ""
    """The result code, once there is one."""
    ended: bool = False
    told: threading.Event | None = None
    """Set once the callback went that the push is answered after."""

    def shown(self) -> dict[str, str]:
        """Say it as the phone does."""
        return {
            "id": self.checkout,
            "to": "+" + self.transaction.msisdn,
            "amount": f"{self.transaction.amount:.2f}",
            "shortcode": self.transaction.shortcode,
            "account": self.transaction.account,
            "words": self.words,
            "at": self.at.isoformat(timespec="milliseconds"),
            "result": self.code,
        }


class Prompts:
    """Every prompt of the country."""

    def __init__(
        self,
        *,
        book: Book,
        house: House,
        callbacks: Callbacks,
        errands: Errands,
        paybill: Paybill,
        passkeys: dict[str, str],
        tills: dict[str, str],
        in_session: Callable[[str], bool],
    ) -> None:
        self._book = book
        self._house = house
        self._callbacks = callbacks
        self._errands = errands
        self._paybill = paybill
        self._passkeys = passkeys
        self._tills = tills
        self._in_session = in_session
        self._prompts: dict[str, Prompt] = {}
        self._open: dict[str, Prompt] = {}
        self._paid: dict[tuple[str, str, Decimal], datetime] = {}
        self._changed = threading.Condition(book.lock)
        self._changes = 0

    # What the API is asked.

    def push(self, fields: Fields, script: Script) -> dict[str, object]:
        """Take a push, and let the phone show it."""
        shortcode = self._authentic(fields)
        kind = fields.one_of("TransactionType", "CustomerPayBillOnline", "CustomerBuyGoodsOnline")
        amount = wire.two(fields.amount())
        fields.msisdn("PartyA")
        party = fields.shortcode("PartyB")
        msisdn = fields.msisdn("PhoneNumber")
        url = fields.url("CallBackURL")
        account = fields.matching("AccountReference", "[A-Za-z0-9 _.#/-]{1,12}")
        if not 1 <= len(fields.raw("TransactionDesc")) <= 13:  # noqa: PLR2004 -- documented so
            raise wire.invalid("Remarks")  # what Daraja calls it when it is missing
        at = wire.now()
        with self._book.lock:
            if msisdn in self._open:
                raise Refusal(
                    500,
                    "500.001.1001",
                    "Unable to lock subscriber, a transaction is already in process for the"
                    " current subscriber",
                )
            name = self._book.organisations[shortcode].name
            words = f"Do you want to pay Ksh.{amount:,.2f} to {name} Account no. {account}?"
            prompt = Prompt(
                checkout=self._book.ids.checkout(at, msisdn),
                merchant=self._book.ids.request(4),
                transaction=Transaction(
                    receipt=self._book.ids.receipt(at),
                    kind="c2b",
                    shortcode=shortcode,
                    msisdn=msisdn,
                    amount=amount,
                    initiated=at,
                    reason="Pay Bill Online",
                    account=account,
                ),
                callback_url=url,
                script=script,
                words=words,
                at=at,
            )
            self._prompts[prompt.checkout] = prompt
            if len(self._prompts) > _PROMPTS_MAX:
                del self._prompts[next(iter(self._prompts))]
            self._open[msisdn] = prompt
            self._news()
        self._begin(prompt, self._wrongly_assigned(kind, shortcode, party))
        if prompt.told is not None:
            prompt.told.wait(_FIRST_SECONDS)
        return {
            "MerchantRequestID": prompt.merchant,
            "CheckoutRequestID": prompt.checkout,
            "ResponseCode": "0",
            "ResponseDescription": "Success. Request accepted for processing",
            "CustomerMessage": "Success. Request accepted for processing",
        }

    def query(self, fields: Fields, script: Script) -> dict[str, object]:
        """Say what became of a prompt, or that it is too early."""
        self._authentic(fields)
        checkout = fields.text("CheckoutRequestID", 64)
        with self._book.lock:
            prompt = self._prompts.get(checkout)
            if prompt is None:
                raise Refusal(500, "500.001.1001", "The transaction does not Exist")
            draw = self._book.random.random()
            noise = draw < self._house.terms.query_noise
            answer = script.answer
            if answer is not None and answer.kind == "pending":
                return self._pending(prompt, answer.how)
            if not prompt.ended:
                how = ("processing", "4999", "empty")[self._book.random.randrange(3)]
                return self._pending(prompt, how)
            if noise:
                return self._pending(prompt, "processing")
            return self._told(prompt, prompt.code, _ASKED.get(prompt.code, _words(prompt.code)))

    # What phones do.

    def open(self, msisdn: str | None = None) -> list[Prompt]:
        """List the prompts that wait on phones, oldest first."""
        with self._book.lock:
            return [
                each
                for each in self._open.values()
                if msisdn is None or each.transaction.msisdn == msisdn
            ]

    def find(self, checkout: str) -> Prompt | None:
        with self._book.lock:
            return self._prompts.get(checkout)

    def accept(self, prompt: Prompt, pin: str) -> str:
        """Type a PIN; the answer is the result code."""
        with self._book.lock:
            if prompt.ended:
                return prompt.code
            wallet = self._book.wallet(prompt.transaction.msisdn)
            code = self._book.check_pin(wallet, pin)
            return self._pay(prompt, wallet) if code == "0" else self.end(prompt, code)

    def end(self, prompt: Prompt, code: str) -> str:
        """End a prompt that moves nothing: cancelled, ignored, or worse."""
        with self._book.lock:
            if prompt.ended:
                return prompt.code
            self._book.refuse(prompt.transaction, code, wire.now())
            return self._close(prompt, code)

    def follow(self, seen: int, *, seconds: float) -> tuple[int, list[Prompt]]:
        """Wait for any change after `seen`; the number of changes so far, and what is open."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, timeout=seconds)
            return self._changes, list(self._open.values())

    # What happens by itself.

    def _begin(self, prompt: Prompt, misassigned: str) -> None:
        terms, script = self._house.terms, prompt.script
        msisdn = prompt.transaction.msisdn
        callback = script.callback
        if callback is not None and callback.kind == "forged":
            forged = self._letter(prompt, "0", self._book.ids.receipt(prompt.at))
            self._callbacks.forge(forged, ours=callback.address == "own")
        decided = script.outcome or misassigned
        if not decided and len(prompt.words) > _PROMPT_WORDS_MAX:
            decided = "1025"
        if not decided and terms.busy_phones and self._in_session("+" + msisdn):
            decided = "1037"
        wallet = self._book.wallet(msisdn)
        if not decided and not wallet.registered:
            decided = "1037"
        if callback is not None and callback.kind == "first":
            self._decide(prompt, decided or "0")
        elif decided:
            self._errands.later(terms.answer_after, partial(self._decide, prompt, decided))
        elif msisdn.startswith(_MAGIC):
            code = msisdn.removeprefix(_MAGIC).lstrip("0") or "0"
            self._errands.later(terms.answer_after, partial(self._decide, prompt, code))
        else:
            habit = wallet.habit or terms.phones
            if habit in {"accept", "cancel", "wrong-pin"}:
                act = partial(self._by_habit, prompt, habit)
                self._errands.later(terms.answer_after, act)
            else:
                self._errands.later(terms.prompt_life, partial(self.end, prompt, "1037"))

    def _by_habit(self, prompt: Prompt, habit: str) -> None:
        wallet = self._book.wallet(prompt.transaction.msisdn)
        if habit == "cancel":
            self.end(prompt, "1032")
        else:
            self.accept(prompt, wallet.pin if habit == "accept" else "wrong")

    def _decide(self, prompt: Prompt, code: str) -> None:
        """End a prompt as it was decided; `0` pays, whatever the PIN, if there is the money."""
        with self._book.lock:
            if code == "0":
                self._pay(prompt, self._book.wallet(prompt.transaction.msisdn))
            else:
                self.end(prompt, code)

    def _pay(self, prompt: Prompt, wallet: Wallet) -> str:
        if prompt.ended:
            return prompt.code
        at, terms, transaction = wire.now(), self._house.terms, prompt.transaction
        same = (wallet.msisdn, transaction.shortcode, transaction.amount)
        last = self._paid.get(same)
        if last is not None and (at - last).total_seconds() < terms.same_amount:
            return self.end(prompt, "17")
        code = self._book.collect(
            transaction, into=terms.collects_in, balance_max=terms.balance_max, at=at
        )
        if code == "0":
            self._book.add(transaction)
            self._paid[same] = at
            self._paybill.confirm(transaction, by_prompt=True)
        return self._close(prompt, code)

    def _close(self, prompt: Prompt, code: str) -> str:
        prompt.code, prompt.ended = code, True
        if self._open.get(prompt.transaction.msisdn) is prompt:
            del self._open[prompt.transaction.msisdn]
        self._news()
        letter = self._letter(prompt, code, prompt.transaction.receipt)
        callback = prompt.script.callback
        if callback is not None and callback.kind == "first":
            prompt.told = self._callbacks.hurry(letter)
        else:
            self._callbacks.send(letter, callback)
        return code

    def _news(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    # How it is said.

    def _letter(self, prompt: Prompt, code: str, receipt: str) -> Letter:
        paid = self._callback(prompt, "0", receipt)
        failed = self._callback(prompt, "1032" if code == "0" else code, receipt)
        is_paid = code == "0"
        return Letter(
            kind="stk",
            url=prompt.callback_url,
            body=paid if is_paid else failed,
            shortcode=prompt.transaction.shortcode,
            contrary=failed if is_paid else paid,
        )

    def _callback(self, prompt: Prompt, code: str, receipt: str) -> dict[str, object]:
        told: dict[str, object] = {
            "MerchantRequestID": prompt.merchant,
            "CheckoutRequestID": prompt.checkout,
            "ResultCode": int(code) if code.isdigit() else code,
            "ResultDesc": _words(code),
        }
        if code == "0":
            told["CallbackMetadata"] = {"Item": list(self._items(prompt, receipt))}
        return {"Body": {"stkCallback": told}}

    def _items(self, prompt: Prompt, receipt: str) -> Iterator[dict[str, object]]:
        quirks, transaction = self._house.terms.quirks, prompt.transaction
        amount = transaction.amount
        yield {"Name": "Amount", "Value": int(amount) if quirks.whole_amounts else amount}
        yield {"Name": "MpesaReceiptNumber", "Value": receipt}
        if quirks.balance_item:
            yield {"Name": "Balance"}
        at = transaction.completed or transaction.initiated
        yield {"Name": "TransactionDate", "Value": int(wire.stamp(at))}
        yield {"Name": "PhoneNumber", "Value": int(transaction.msisdn)}

    def _pending(self, prompt: Prompt, how: str) -> dict[str, object]:
        if how == "4999":
            return self._told(prompt, "4999", "The transaction is still under processing")
        words = "The transaction is being processed" if how == "processing" else ""
        raise Refusal(500, "500.001.1001", words)

    def _told(self, prompt: Prompt, code: str, words: str) -> dict[str, object]:
        return {
            "ResponseCode": "0",
            "ResponseDescription": "The service request has been accepted successsfully",
            "MerchantRequestID": prompt.merchant,
            "CheckoutRequestID": prompt.checkout,
            "ResultCode": code,
            "ResultDesc": words,
        }

    def _authentic(self, fields: Fields) -> str:
        """Check shortcode, time and password."""
        shortcode = fields.shortcode("BusinessShortCode")
        stamp = fields.matching("Timestamp", _STAMP)
        password = fields.text("Password", 500)
        passkey = self._passkeys.get(shortcode)
        if passkey is None:
            raise Refusal(500, "500.001.1001", "Merchant does not exist")
        ours = base64.b64encode(f"{shortcode}{passkey}{stamp}".encode()).decode()
        if password != ours:
            raise Refusal(500, "500.001.1001", "Wrong credentials")
        return shortcode

    def _wrongly_assigned(self, kind: str, shortcode: str, party: str) -> str:
        """The code for a paybill or till that is not what it is said to be; empty if it is."""
        if kind == "CustomerPayBillOnline":
            return "" if party == shortcode else "2028"
        return "" if self._tills.get(party) == shortcode else "SFC_IC0003"


def _words(code: str) -> str:
    return TOLD.get(code, "The transaction could not be completed.")
