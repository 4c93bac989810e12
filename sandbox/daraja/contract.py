"""What an organisation and Safaricom have agreed upon."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Contract:
    """
    What an organisation and Safaricom have agreed upon, with the sandbox's values.

    Args:
        shortcode: the paybill, which prompts and pays out too.
        name: what payers see.
        passkey: what the passwords of pushes are made with.
        payer: another shortcode, which only pays out.
        till: a till under the paybill.
        float_kes: what each of them has on its utility account at first.
        key: the app's consumer key.
        secret: its consumer secret.
        initiator: an operator of the API.
        password: theirs.

    """

    shortcode: str = "174379"
    name: str = "KABAMBE"
    passkey: str = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
    payer: str = "600992"
    till: str = "5074379"
    float_kes: Decimal = Decimal("5000000.00")
    key: str = "sandbox-consumer-key"
    secret: str = "sandbox-consumer-secret"  # noqa: S105 -- of the sandbox
    initiator: str = "testapi"
    password: str = "Safaricom999!*!"  # noqa: S105 -- the published one of the sandbox
