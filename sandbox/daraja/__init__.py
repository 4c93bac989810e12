"""
A fake Safaricom that speaks Daraja: OAuth, STK push, paybill, B2C, what one may ask, and faults.

It follows the provider's contract alone and shares no code and no constant with our own client or
doors, so that a misreading on our side is found here and not in production. Its state is memory
behind one lock; what it posts to us goes by `sandbox/errands.py`.
"""

from __future__ import annotations
