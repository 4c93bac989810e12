"""The screens of My account with the largest values they can hold, and what is refused on each."""

from __future__ import annotations

from datetime import UTC, datetime

from core import closing as close
from core import limits, msisdn, otp, otp_codes, pins, recovery
from core import naming as names
from core.limits import Allowance
from core.money import kes
from menus.screen import Span
from menus.screens import account, closing, forgotten, naming
from menus.screens import limits as my_limits

AT = datetime(2026, 12, 31, 20, 59, tzinfo=UTC)
NAME = "W" * 20
MUCH = kes(99_999_999_99)

EXAMPLES = [
    account.Pin(),
    *(forgotten.Name(question) for question in recovery.Question),
    *(forgotten.Proof(question, Span(1, 5)) for question in recovery.Question),
    forgotten.Code(),
    forgotten.NewPin(),
    forgotten.RepeatPin(Span(1, 5)),
    naming.NewName(),
    naming.ConfirmName(NAME),
    my_limits.Limits(Allowance(MUCH, MUCH, MUCH, MUCH, None)),
    my_limits.Limits(Allowance(MUCH, MUCH, MUCH, MUCH, AT)),
    closing.Close(),
]

RAISED = {
    forgotten.NewPin: [pins.InvalidPin, pins.WeakPin, pins.PinsDiffer],
    forgotten.RepeatPin: [pins.InvalidPin],
    forgotten.Name: [recovery.WrongAnswers, msisdn.InvalidMsisdn],
    forgotten.Proof: [otp.TooManyOtps],
    forgotten.Code: [
        otp.NoOtp,
        otp.OtpExpired,
        otp.OtpSpent,
        otp.OtpUsed,
        otp.OtpWrong,
        otp.TooManyOtps,
        otp_codes.InvalidOtp,
    ],
    naming.NewName: [
        names.InvalidName,
        names.NameVerified,
        names.RenamedLately,
    ],
    naming.ConfirmName: [
        pins.InvalidPin,
        pins.WrongPin,
        names.NameVerified,
        names.RenamedLately,
    ],
    closing.Close: [
        pins.InvalidPin,
        pins.WrongPin,
        close.ClosingRefused,
        close.MoneyLeft,
        close.MoneyOwed,
        close.StillOpen,
        limits.NotScreened,
    ],
}
