"""
How each refusal sounds on a phone. The only place where errors meet words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.access.devices import InvalidDeviceName, UnknownDevice
from core.access.issuers import (
    AlreadyLinked,
    NoIssuer,
    NotLinked,
    SignInOver,
    SignInRefused,
    SignInUnavailable,
)
from core.access.keys import ApiKeyNotOver, InvalidApiKey, TooManyApiKeys, UnknownApiKey
from core.access.principals import NotAuthenticated
from core.access.refreshes import RefreshUnderWay
from core.access.tickets import TicketOver
from core.access.totp import NoSecondFactor, SecondFactorNeeded, SecondFactorSet, SecondFactorWrong
from core.access.tries import LogInLocked
from core.breaks import BreakClosed, UnknownBreak
from core.cases import CaseClosed, UnknownCase
from core.closing import ClosingRefused, MoneyLeft, MoneyOwed, StillOpen
from core.codes import InvalidVoucherCode
from core.cooling import AmountCooling, CoolingOff, DayCooling
from core.decisions import AlreadyDecided, AlreadyRequested, NoReason, OwnRequest
from core.deposits import DepositOpen, TooManyCheckouts, UnknownDeposit
from core.errors import DomainError
from core.exchange import QuoteExpired, QuoteUsed, UnknownQuote
from core.execution import NotExecuted
from core.fees import FeeChanged
from core.holds import HoldResolved, HoldTooSmall, UnknownHold
from core.kyc import InvalidPapers, NoPapers, SuspensionStands, UnknownLift
from core.ledger import InsufficientFunds, UnknownAccount
from core.limits import (
    AccountSuspended,
    AmountTooLarge,
    AmountTooSmall,
    CeilingReached,
    DailyLimitReached,
    MonthlyLimitReached,
    NotScreened,
    RecipientSuspended,
    TooManyTransfers,
)
from core.merchants import NoTill
from core.money import InvalidAmount
from core.msisdn import InvalidMsisdn
from core.naming import InvalidName, NameVerified, RenamedLately
from core.orders import KeyReused, UnknownOrder
from core.otp import NoOtp, OtpExpired, OtpSpent, OtpUsed, OtpWrong, TooManyOtps
from core.otp_codes import InvalidOtp
from core.paybill import UnknownPayment
from core.payees import InvalidPayee
from core.payment_links import LinkAmountDiffers, LinkOver, LinkPaid, LinkTaken, UnknownLink
from core.pins import InvalidPin, PinLocked, PinsDiffer, WeakPin, WrongPin
from core.rails import BreakerClosed, NotWholeShillings, RailNotOffered
from core.rates import ExchangeTooSmall, RateStale, SameCurrency
from core.recovery import RecoveryLocked, RecoveryOver, WrongAnswers
from core.refunds import NoSuchPayment, PaymentReversed, RefundTooLarge
from core.resolutions import NothingSuspended, StillSuspended
from core.reversals import AlreadyRefunded, UnknownReversal, UnknownTransfer
from core.sanctions import UnknownHit
from core.slips import NotASlip
from core.sms_orders import SmsLimitReached, SmsTooLate
from core.statements import InvalidPeriod, StatementTooLong
from core.strangers import TooManyStrangers
from core.subscribers import (
    AccountClosed,
    AlreadyRegistered,
    ClosedLately,
    InvalidWalletNumber,
    UnknownRecipient,
)
from core.suspense import SuspenseClosed, UnknownSuspense
from core.transfers import SameAccount, UnknownTill
from core.voucher_batches import BatchOver, InvalidBatch, OtherKey, UnknownBatch
from core.vouchers import (
    TooManyCodes,
    UnknownVoucher,
    VoucherCancelled,
    VoucherExpired,
    VoucherUsed,
)
from core.webhook_deliveries import UnknownDelivery, WebhookDisabled
from core.webhooks import (
    InvalidWebhook,
    SecretJustRotated,
    TooManyWebhooks,
    UnknownEventType,
    UnknownWebhook,
)
from core.withdrawals import UnknownWithdrawal
from menus.clock import day_and_minute_after, minute_after
from menus.screen import AnswerTooLong, InvalidChoice
from menus.text import Text, _


@dataclass(frozen=True, slots=True)
class Face:
    """
    One refusal in words.

    Args:
        words: A line on top of the screen, or in an SMS; the error's parameters fill its gaps.
        hangs_up: Whether there is no point in going on.
        dated: Whether an instant is told with its day: it may be another than today.
    """

    words: Text
    hangs_up: bool = field(default=False, kw_only=True)
    dated: bool = field(default=False, kw_only=True)


UNEXPECTED = _("Something went wrong. Your money is safe. Please try again.")
UNCERTAIN = _(
    "We did not hear in time whether that was done. If it was, you get an SMS."
    " Look at your statement before you try again."
)

FACES: Mapping[type[DomainError], Face] = {
    AccountClosed: Face(_("This account is closed."), hangs_up=True),
    AccountSuspended: Face(_("Your account cannot move money now. Please contact us.")),
    AlreadyDecided: Face(_("That was decided already.")),
    AlreadyRefunded: Face(_("The shop has given some of it back already.")),
    AlreadyLinked: Face(_("One of the two accounts is linked already.")),
    AlreadyRegistered: Face(_("This number already has an account."), hangs_up=True),
    AlreadyRequested: Face(_("You have asked for that already.")),
    AmountCooling: Face(_("Your PIN is new: at most {most} at once until {until}."), dated=True),
    AmountTooLarge: Face(_("The most at once is {most}.")),
    AmountTooSmall: Face(_("The least is {least}.")),
    AnswerTooLong: Face(_("Too long ({letters_max} at most).")),
    BreakerClosed: Face(_("Payouts are not stopped.")),
    ApiKeyNotOver: Face(_("Only a key that has ended can be followed by another.")),
    BreakClosed: Face(_("That was closed already.")),
    BatchOver: Face(_("That batch of vouchers has ended.")),
    CaseClosed: Face(_("That case is closed.")),
    CeilingReached: Face(_("The account cannot hold that much money.")),
    ClosedLately: Face(
        _("You closed an account. You can open another after {until}."), hangs_up=True, dated=True
    ),
    ClosingRefused: Face(_("Please contact us to close your account.")),
    CoolingOff: Face(_("You can do that after {until}, as your PIN is new."), dated=True),
    DailyLimitReached: Face(_("Daily limit {limit}. Left today: {left}.")),
    DayCooling: Face(
        _("Until {until} you can send {limit} a day. Left today: {left}."), dated=True
    ),
    DepositOpen: Face(_("An M-Pesa prompt is open. Try again after {until}.")),
    ExchangeTooSmall: Face(_("That is too little to exchange.")),
    FeeChanged: Face(_("The fee is now {fee}. Please try again.")),
    HoldResolved: Face(_("That was settled already.")),
    HoldTooSmall: Face(_("Only {held} is set aside.")),
    InsufficientFunds: Face(_("You have {available}. You need {requested} in all.")),
    InvalidAmount: Face(_("That is not an amount.")),
    InvalidApiKey: Face(_("A key needs a name, and something it may do.")),
    InvalidBatch: Face(_("A batch has 1 to 50,000 vouchers and ends within 5 years.")),
    InvalidChoice: Face(_("That is not on the menu.")),
    InvalidDeviceName: Face(_("Name the device in 1 to 24 plain letters and digits.")),
    InvalidMsisdn: Face(_("That is not a phone number.")),
    InvalidName: Face(_("Use your own name, 2 to 20 letters, A to Z.")),
    InvalidOtp: Face(_("A code is 6 digits.")),
    InvalidPeriod: Face(_("The last day comes after the first.")),
    InvalidPapers: Face(_("We cannot read those papers. Check the number and the date.")),
    InvalidPin: Face(_("A PIN is 4 digits.")),
    InvalidVoucherCode: Face(_("That is not a voucher code. Check the 20 digits.")),
    InvalidWalletNumber: Face(_("That is not a wallet number. Check the 13 digits.")),
    InvalidWebhook: Face(_("That is not an address we can call.")),
    KeyReused: Face(UNEXPECTED, hangs_up=True),
    LinkAmountDiffers: Face(_("That is not the amount of this payment link.")),
    LinkOver: Face(_("That payment link is over.")),
    LinkPaid: Face(_("That payment link was paid already.")),
    LinkTaken: Face(_("Somebody is paying that already. Try again in a minute.")),
    LogInLocked: Face(_("Too many wrong tries. Try again after {until}.")),
    MoneyLeft: Face(_("You still have {left}. Send it first, or contact us.")),
    MoneyOwed: Face(_("You owe us {owed}. Please contact us.")),
    MonthlyLimitReached: Face(_("Monthly limit {limit}. Left this month: {left}.")),
    NoIssuer: Face(_("You can log in by phone only.")),
    NoOtp: Face(_("We sent you no code. Please ask for one.")),
    NameVerified: Face(_("Your name is from your ID. Please contact us to change it.")),
    NoPapers: Face(_("There are no papers yet.")),
    NoReason: Face(_("Please say why, in 500 letters at most.")),
    NoSuchPayment: Face(_("Nobody paid you under that reference.")),
    NoTill: Face(_("You have no till.")),
    NoSecondFactor: Face(_("You have no second factor to do that with.")),
    NotASlip: Face(_("That is not a voucher of ours.")),
    NotAuthenticated: Face(_("Please log in again.")),
    NotExecuted: Face(UNEXPECTED),
    NotLinked: Face(_("No account here is linked to that. Log in by phone first.")),
    NotWholeShillings: Face(_("M-Pesa takes whole shillings only.")),
    NotScreened: Face(_("We are still checking your account. Please try again in a minute.")),
    OtherKey: Face(_("That batch was issued with another key.")),
    OtpExpired: Face(_("That code is over. Please ask for a new one.")),
    OtpSpent: Face(_("Too many wrong codes. Please ask for a new one.")),
    OtpUsed: Face(_("That code was used already. Please ask for a new one.")),
    OtpWrong: Face(_("Wrong code. Tries left: {tries_left}")),
    OwnRequest: Face(_("Somebody else must decide that.")),
    PaymentReversed: Face(_("That payment was reversed already.")),
    PinLocked: Face(_("Too many wrong PINs. Try again after {until}."), hangs_up=True),
    PinsDiffer: Face(_("The PINs are not the same. Start again.")),
    QuoteExpired: Face(_("That price is over. Please ask for a new one.")),
    QuoteUsed: Face(_("That price was used already.")),
    RateStale: Face(_("We have no fresh rate. Please try again shortly.")),
    RecoveryLocked: Face(
        _("Too many wrong answers. Try again after {until}, or contact us."),
        hangs_up=True,
        dated=True,
    ),
    RecoveryOver: Face(_("That took too long. Dial again and start again."), hangs_up=True),
    RefundTooLarge: Face(_("At most {left} of it can be given back.")),
    RefreshUnderWay: Face(_("Another request is doing that now.")),
    RenamedLately: Face(_("You can change your name again after {until}."), dated=True),
    RecipientSuspended: Face(_("The recipient cannot receive money now.")),
    SameAccount: Face(_("That is your own number.")),
    SameCurrency: Face(_("Choose another currency.")),
    SecondFactorNeeded: Face(_("Enter the 6 digits of your authenticator too.")),
    SecondFactorSet: Face(_("You have a second factor. Remove it first.")),
    SecondFactorWrong: Face(_("Those 6 digits are wrong or were used. Wait for the next.")),
    SignInOver: Face(_("That sign-in is over. Please begin again.")),
    SignInRefused: Face(_("That sign-in was refused. Please begin again.")),
    SignInUnavailable: Face(_("We cannot ask there now. Please try again shortly.")),
    SmsLimitReached: Face(_("By SMS you can send {limit} a day. Dial *384# to send more.")),
    SmsTooLate: Face(_("Your SMS came late. Dial *384# to see what was done.")),
    StatementTooLong: Face(_("More than {lines_max} lines. Choose a shorter period.")),
    StillOpen: Face(
        _("Something is not settled yet: an order, vouchers, or money asked back. Try later.")
    ),
    SuspenseClosed: Face(_("That was resolved already.")),
    SuspensionStands: Face(_("Two people must agree to that.")),
    TicketOver: Face(_("That took too long. Please ask for a new code.")),
    TooManyApiKeys: Face(_("You have {count_max} keys. Revoke one first.")),
    TooManyCodes: Face(_("Too many wrong voucher codes. Try again tomorrow.")),
    TooManyStrangers: Face(_("Too many numbers without an account. Try again tomorrow.")),
    TooManyOtps: Face(_("Too many codes. Try again after {until}."), dated=True),
    TooManyTransfers: Face(_("You have sent {count_max} times this hour. Try later.")),
    SecretJustRotated: Face(_("The secret was changed. Again after {until}."), dated=True),
    TooManyWebhooks: Face(_("You have {count_max} webhooks already. Remove one first.")),
    UnknownAccount: Face(UNEXPECTED, hangs_up=True),
    UnknownApiKey: Face(_("You have no such key.")),
    UnknownBreak: Face(_("There is no such break.")),
    UnknownBatch: Face(_("There is no such batch of vouchers.")),
    UnknownCase: Face(_("There is no such case.")),
    UnknownDevice: Face(_("You are not logged in there.")),
    UnknownDelivery: Face(_("We did not send that.")),
    UnknownDeposit: Face(_("There is no such deposit.")),
    UnknownEventType: Face(_("There is no such event.")),
    UnknownHit: Face(_("There is no such match.")),
    UnknownHold: Face(_("Nothing is set aside.")),
    UnknownLift: Face(_("Nobody has proposed that.")),
    UnknownLink: Face(_("There is no such payment link.")),
    UnknownOrder: Face(_("Nothing of yours has that reference.")),
    UnknownPayment: Face(_("There is no such payment.")),
    UnknownQuote: Face(_("There is no such price. Please ask again.")),
    UnknownRecipient: Face(_("That number has no account here.")),
    UnknownReversal: Face(_("There is no such request.")),
    UnknownSuspense: Face(_("There is no such case.")),
    UnknownTill: Face(_("No shop has that till number.")),
    UnknownTransfer: Face(_("You sent nothing under that reference.")),
    UnknownWithdrawal: Face(_("There is no such withdrawal.")),
    UnknownVoucher: Face(_("No voucher has that code. Tries left: {tries_left}")),
    UnknownWebhook: Face(_("You have no such webhook.")),
    VoucherCancelled: Face(_("That voucher was cancelled.")),
    VoucherExpired: Face(_("That voucher has expired.")),
    VoucherUsed: Face(_("That voucher was used already.")),
    WebhookDisabled: Face(_("That webhook is turned off.")),
    WrongAnswers: Face(_("Those answers are not right. Tries left: {tries_left}")),
    WeakPin: Face(_("Too easy to guess. Choose another PIN.")),
    InvalidPayee: Face(_("That account cannot be paid. Check the number and name.")),
    RailNotOffered: Face(_("That way of paying is not offered.")),
    TooManyCheckouts: Face(_("You have {count_max} payments open. Finish one first.")),
    NothingSuspended: Face(_("No money stands in suspense there.")),
    StillSuspended: Face(_("Money waits there. Decide where it goes first.")),
    WrongPin: Face(_("Wrong PIN. Tries left: {tries_left}")),
}


def face(error: DomainError) -> Face:
    """The words for a refusal, its parameters in their places."""
    found = FACES[type(error)]
    told = day_and_minute_after if found.dated else minute_after
    params: dict[str, Any] = {
        name: told(value) if isinstance(value, datetime) else value
        for name, value in error.params.items()
    }
    return Face(Text(found.words.msgid, params), hangs_up=found.hangs_up)
