"""Reads the fields of a request, and refuses them by name as Daraja does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import urlsplit

from sandbox.daraja import wire

_FORBIDDEN = re.compile(r"m-?pesa|safaricom|exe|cmd|sql|query", re.IGNORECASE)
_PLACEHOLDERS = frozenset({"mydomain.com", "example.com", "domain.com", "yourdomain.com"})
_URL_MAX = 500


class Fields:
    """
    The body of one request.

    Args:
        body: what was sent; numbers and strings are the same to Daraja.
        https_only: refuse callback addresses without TLS.

    """

    def __init__(self, body: Mapping[str, object], *, https_only: bool = False) -> None:
        self._body = body
        self._https_only = https_only

    def raw(self, name: str) -> str:
        """A field as text; empty when it is not there or is no scalar."""
        value = self._body.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return ""
        return str(value)

    def text(self, name: str, most: int, *, least: int = 1) -> str:
        """A field of so many characters."""
        value = self.raw(name)
        if not least <= len(value) <= most:
            raise wire.invalid(name)
        return value

    def matching(self, name: str, pattern: str) -> str:
        """A field of a certain look."""
        value = self.raw(name)
        if not re.fullmatch(pattern, value):
            raise wire.invalid(name)
        return value

    def shortcode(self, name: str) -> str:
        """Five to seven digits."""
        return self.matching(name, "[0-9]{5,7}")

    def msisdn(self, name: str) -> str:
        """A Kenyan mobile number as Daraja wants it."""
        return self.matching(name, "254[17][0-9]{8}")

    def amount(self, name: str = "Amount") -> Decimal:
        """Whole shillings, one at least."""
        return Decimal(self.matching(name, "0*[1-9][0-9]{0,8}"))

    def one_of(self, name: str, *choices: str) -> str:
        """One of a few words, spelt exactly so."""
        value = self.raw(name)
        if value not in choices:
            raise wire.invalid(name)
        return value

    def url(self, name: str) -> str:
        """A callback address that Safaricom would call."""
        value = self.raw(name)
        try:
            parts = urlsplit(value)
            host = parts.hostname or ""
        except ValueError:
            raise wire.invalid(name) from None
        schemes = {"https"} if self._https_only else {"https", "http"}
        if (
            parts.scheme not in schemes
            or not host
            or parts.netloc != parts.netloc.lower()
            or host in _PLACEHOLDERS
            or len(value) > _URL_MAX
            or re.search(r"[^\x21-\x7e]", value)
            or _FORBIDDEN.search(value)
        ):
            raise wire.invalid(name)
        return value
