"""
The floor: a bare Flask route with one Redis round trip, on the product's own gunicorn settings.
"""

from __future__ import annotations

import os
from typing import Final

from flask import Flask, Response, request
from redis import Redis

_SCREEN: Final = "CON " + "x" * 90

app = Flask(__name__)
_redis = Redis.from_url(os.environ["REDIS_URL"])  # noqa: TID251 - it has no settings but this


@app.post("/floor")
def floor() -> Response:
    """Read the form as any USSD door must, ask Redis once, and answer."""
    _redis.get("floor:" + request.form["sessionId"])
    return Response(_SCREEN, mimetype="text/plain")
