"""
Workers as processes, for tests that need them to be elsewhere: killed, stopped, or at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from house_parts import SEED, SIGNING_KEYS

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 20


def environment(house) -> dict[str, str]:
    """What a worker of this house is told."""
    return os.environ | {
        "DATABASE_URL": house.database_url,
        "REDIS_URL": house.redis_url,
        "KABAMBE_ENVIRONMENT": "sandbox",
        "KABAMBE_PIN_PEPPER": "sandbox-pin-pepper",
        "KABAMBE_TURN_KEY": "sandbox-turn-key",
        "KABAMBE_SEAL__ORIGIN": "kabambe.test",
        "KABAMBE_SEAL__KEY": SEED,
        "KABAMBE_SEAL__FOLDER": str(house.outside),
        "KABAMBE_VOUCHER_KEY": "sandbox-voucher-key",
        "KABAMBE_OTP_KEY": "sandbox-otp-key",
        "KABAMBE_AT_REST_KEY": "sandbox-at-rest-key",
        "KABAMBE_API__PUBLIC_URL": "http://127.0.0.1:8000",
        "KABAMBE_API__SIGNING_KEYS": SIGNING_KEYS,
        "KABAMBE_AFRICASTALKING__USERNAME": "sandbox",
        "KABAMBE_AFRICASTALKING__API_KEY": "sandbox-api-key",
        "KABAMBE_AFRICASTALKING__SENDER_ID": "KABAMBE",
        "KABAMBE_AFRICASTALKING__CALLBACK_TOKEN": "sandbox",
        "KABAMBE_AFRICASTALKING__PER_SECOND": "500",
        "KABAMBE_RATES__URL": f"{house.country_url}/rates",
        "KABAMBE_AFRICASTALKING__URL": f"{house.country_url}/africastalking",
    }


@contextmanager
def worker(house, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m workers <name>` until the block ends; the ledger's is waited for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers", name], cwd=ROOT, env=environment(house)
    )
    try:
        if name == "ledger":
            until(house.bell.is_answered)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def until(condition: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for a condition and return what it gave."""
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.01)
    return found
