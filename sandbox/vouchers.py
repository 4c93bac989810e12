"""`./run vouchers`: the product's own command, in the environment of the house that runs here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sandbox import product
from sandbox.engines import Postgres, Valkey, home
from sandbox.environment import variable
from sandbox.product import Ports, Refused

MISUSED = 2


def main(arguments: Sequence[str]) -> int:
    """Hand the arguments over; the answer is the exit status."""
    try:
        ports = Ports.chosen()
    except Refused as refused:
        print(f"./run vouchers: {refused}", file=sys.stderr)
        return MISUSED
    database_url = variable("DATABASE_URL") or Postgres(home()).url
    redis_url = variable("REDIS_URL") or Valkey(home()).url
    environment = product.environment(ports, database_url, redis_url)
    return product.call("workers.vouchers", arguments, environment=environment)
