"""
A fake Africa's Talking that speaks the real wire: SMS out and in, reports, USSD, and faults.

It follows the provider's contract alone and shares no code and no constant with our own client or
doors, so that a misreading on our side is found here and not in production.
"""

from __future__ import annotations
