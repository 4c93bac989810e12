"""
What each Kenyan network carries: how long a screen and an answer may be.

Source: Africa's Talking's help centre (1284096) names 160 and 80 for Safaricom, 184 and 90 for
Airtel; a USSD string holds 182 septets (3GPP TS 23.038), so that no more reaches a handset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from menus.gsm7 import SCREEN_SEPTETS_MAX, USSD_SEPTETS_MAX

_PREFIX_SEPTETS: Final = USSD_SEPTETS_MAX - SCREEN_SEPTETS_MAX


@dataclass(frozen=True, slots=True)
class Network:
    """
    What a network carries.

    Args:
        septets_max: Of what we answer, `CON ` or `END ` with it.
        letters_max: Of what somebody can type in one answer.
    """

    septets_max: int = USSD_SEPTETS_MAX
    letters_max: int = 80

    @property
    def screen_septets_max(self) -> int:
        """What is left for the screen itself."""
        return self.septets_max - _PREFIX_SEPTETS


UNKNOWN: Final = Network()
"""The least that any of them carries: who publishes nothing, and who is not from here."""

# By MCC and MNC, as the aggregator's `networkCode` has them.
_NETWORKS: Final[Mapping[str, Network]] = {
    "63902": Network(),  # Safaricom
    "63903": Network(septets_max=182, letters_max=90),  # Airtel
}


def of(code: str) -> Network:
    """The network of a `networkCode`."""
    return _NETWORKS.get(code, UNKNOWN)
