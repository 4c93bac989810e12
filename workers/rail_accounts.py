"""
The rails we have an account with, as the settings have them.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.rail_settings import Flutterwave as FlutterwaveAccount
from core.rail_settings import Paystack as PaystackAccount
from core.rails import Provider
from workers.flutterwave.client import Flutterwave
from workers.paystack.client import Paystack
from workers.rails import PaymentRail


def rails_of(
    paystack: PaystackAccount | None, flutterwave: FlutterwaveAccount | None
) -> Mapping[Provider, PaymentRail]:
    """Make the clients, in the process that calls."""
    made: dict[Provider, PaymentRail] = {}
    if paystack is not None:
        made[Provider.PAYSTACK] = Paystack(
            secret_key=paystack.secret_key.get_secret_value(),
            url=str(paystack.url),
            email=paystack.email,
            return_url=str(paystack.return_url),
        )
    if flutterwave is not None:
        made[Provider.FLUTTERWAVE] = Flutterwave(
            secret_key=flutterwave.secret_key.get_secret_value(),
            url=str(flutterwave.url),
            email=flutterwave.email,
            return_url=str(flutterwave.return_url),
        )
    return made
