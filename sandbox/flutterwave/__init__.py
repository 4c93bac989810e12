"""A fake Flutterwave that speaks version 3 of its documented wire."""

from __future__ import annotations
