"""
What the fake Paystack and the fake Flutterwave have in common: a book, faults, webhooks, a page.

Each follows its provider's contract in a package of its own, and shares no code and no constant
with our own clients.
"""

from __future__ import annotations
