"""
A feed of exchange rates, as the product's rate source reads it: `GET /rates`.

`PUT /rates` with JSON changes it: `age` (seconds by which its time is behind), `status` (what it
answers with), `rates` (pairs instead of the usual ones). `DELETE` brings the usual ones back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request

# Whole units of the second for one of the first, near what they were in 2026.
_USUAL = {
    "USD/KES": ("129.10", "129.50"),
    "USD/NGN": ("1448.00", "1456.00"),
    "EUR/USD": ("1.1590", "1.1602"),
    "GBP/USD": ("1.3120", "1.3136"),
    "BTC/USD": ("91250.00", "91420.00"),
    "USDT/USD": ("0.9995", "1.0005"),
}


def create_blueprint() -> Blueprint:
    """Hang the feed."""
    feed = Blueprint("rates", __name__)
    told: dict[str, Any] = {}

    @feed.get("/rates")
    def answer() -> tuple[Response, int]:
        at = datetime.now(UTC) - timedelta(seconds=float(told.get("age", 0)))
        usual = [
            {"base": pair.split("/")[0], "quote": pair.split("/")[1], "bid": bid, "ask": ask}
            for pair, (bid, ask) in _USUAL.items()
        ]
        body = {"source": "sandbox", "at": at.isoformat(), "rates": told.get("rates", usual)}
        return jsonify(body), int(told.get("status", 200))

    @feed.put("/rates")
    def change() -> tuple[str, int]:
        told.clear()
        told.update(request.get_json())
        return "", 204

    @feed.delete("/rates")
    def forget() -> tuple[str, int]:
        told.clear()
        return "", 204

    return feed
