"""
Instants as people in Kenya read them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from core import statements

NAIROBI: Final = statements.NAIROBI


def hour_and_minute(instant: datetime) -> str:
    """`19:23`, in Nairobi."""
    return instant.astimezone(NAIROBI).strftime("%H:%M")


def minute_after(instant: datetime) -> str:
    """`19:24` for 19:23:01, in Nairobi: what is over by then is over."""
    return hour_and_minute(instant + timedelta(minutes=1, microseconds=-1))


def day_and_minute_after(instant: datetime) -> str:
    """`21/11 19:24` for 19:23:01, in Nairobi: what is over by then is over."""
    return f"{day(instant + timedelta(minutes=1, microseconds=-1))} {minute_after(instant)}"


def day(instant: datetime) -> str:
    """`21/11`, in Nairobi."""
    return instant.astimezone(NAIROBI).strftime("%d/%m")


def date_and_time(instant: datetime) -> str:
    """`21/11/26 19:23`, in Nairobi."""
    return instant.astimezone(NAIROBI).strftime("%d/%m/%y %H:%M")
