"""A fake Paystack that speaks its documented wire (paystack.com/docs/api)."""

from __future__ import annotations
