"""
Where a movement by M-Pesa stands, and why one failed, in words: for the screens, and for SMS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.movements import Movement, Stage, Way
from menus.text import Text, _

_HEADS: Final = {
    Way.IN: _("Deposit of {amount}: {stage}"),
    Way.OUT: _("Withdrawal of {amount}: {stage}"),
    Way.SHOP: _("{amount} to {name} by M-Pesa: {stage}"),
}
_STAGES: Final = {
    Stage.PENDING: _("pending."),
    Stage.CONFIRMED: _("confirmed."),
    Stage.FAILED: _("failed."),
    Stage.EXPIRED: _("expired, M-Pesa gave no answer."),
    Stage.CHECKED: _("we are checking it with M-Pesa."),
}

# By M-Pesa's code of a result, where people can do something about it or would ask what it was.
WHY_NOT_PAID: Final[Mapping[str, Text]] = {
    "1": _("Your M-Pesa balance is not enough."),
    "2": _("M-Pesa says the amount is too small."),
    "3": _("M-Pesa says the amount is too large."),
    "4": _("Your M-Pesa limit for today is reached."),
    "17": _("You paid the same amount a moment ago. Wait 2 minutes."),
    "1001": _("Another M-Pesa prompt is open on your phone."),
    "1019": _("The M-Pesa prompt was not answered in time."),
    "1032": _("You cancelled it."),
    "1037": _("Your phone did not answer M-Pesa."),
    "2001": _("The M-Pesa PIN was wrong."),
    "8006": _("Your M-Pesa PIN is locked. Call Safaricom on 100."),
}
WHY_NOT_PAID_OUT: Final[Mapping[str, Text]] = {
    "2": _("M-Pesa says the amount is too small."),
    "3": _("M-Pesa says the amount is too large."),
    "4": _("Your M-Pesa limit for today is reached."),
    "8": _("Your M-Pesa cannot hold that much."),
    "2006": _("Your M-Pesa is not active."),
    "2040": _("Your number is not on M-Pesa."),
    "SFC_IC0003": _("Your number is not on M-Pesa."),
}
_SOMEHOW: Final = _("M-Pesa did not do it.")


def why_not_paid(code: str) -> Text:
    """Why M-Pesa took nothing from a person."""
    return WHY_NOT_PAID.get(code, _SOMEHOW)


def why_not_paid_out(code: str) -> Text:
    """Why M-Pesa gave a person nothing."""
    return WHY_NOT_PAID_OUT.get(code, _SOMEHOW)


def why(movement: Movement) -> Text | None:
    """Why it failed, if it did."""
    if movement.stage is not Stage.FAILED:
        return None
    said = why_not_paid_out if movement.way is Way.OUT else why_not_paid
    return said(movement.code)


def told(movement: Movement, *, briefly: bool = False) -> Text:
    """Say where it stands; why it failed too, unless there is no room."""
    stage, reason = _STAGES[movement.stage], why(movement)
    if reason is not None and not briefly:
        stage = _("failed. {reason}", reason=reason)
    return Text(
        _HEADS[movement.way].msgid,
        {"amount": movement.amount, "name": movement.name, "stage": stage},
    )
