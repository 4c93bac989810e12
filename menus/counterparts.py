"""
Who was on the other side of a movement; where nobody was, what it was.
"""

from __future__ import annotations

from typing import Final

from core.ledger import Reason
from menus.text import Text, _

_MPESA: Final = Text("M-Pesa")
_NOBODY: Final = {
    Reason.HOLD: _("Set aside"),
    Reason.CAPTURE: _("Set aside"),
    Reason.RELEASE: _("Set aside, given back"),
    Reason.EXCHANGE: _("Exchanged"),
    Reason.VOUCHERS: _("Vouchers"),
    Reason.REDEMPTION: _("Voucher"),
    Reason.REFUND: _("Vouchers"),
    Reason.REPAYMENT: _("Debt paid"),
    Reason.DEPOSIT: _MPESA,
    Reason.RESOLUTION: _MPESA,
    Reason.WITHDRAWAL: _MPESA,
    Reason.SENDING: _MPESA,
    Reason.PAYOUT: _MPESA,
    Reason.RETURN: _("Withdrawal given back"),
    Reason.BOUNCE: _("M-Pesa, given back"),
    Reason.OPENING: _("Opening gift"),
}
_HOUSE: Final = Text("Kabambe")


def counterpart(name: str, reason: str) -> Text:
    """Name the other side of a movement; `name` is empty where nobody was."""
    if name:
        return Text("{name}", {"name": name})
    return _NOBODY.get(Reason(reason), _HOUSE)
