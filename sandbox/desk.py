"""The desk at which staff sit: the product's own, on the sandbox's database."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from sandbox import product
from sandbox.engines import Postgres, Valkey, home
from sandbox.environment import variable
from sandbox.product import Ports, Refused

NOT_RUNNING = 2


def _sit(command: str, arguments: Sequence[str], *, module: str = "workers.desk") -> int:
    """Hand a command over to the product; the answer is the exit status."""
    state = home()
    database_url = variable("DATABASE_URL")
    if not database_url:
        postgres = Postgres(state)
        if not postgres.runs():
            print("Kabambe is not running: start it with ./run", file=sys.stderr)
            return NOT_RUNNING
        database_url = postgres.url
    try:
        ports = Ports.chosen()
    except Refused as refusal:
        print(f"./run {command}: {refusal}", file=sys.stderr)
        return NOT_RUNNING
    redis_url = variable("REDIS_URL") or Valkey(state).url
    environment = product.environment(ports, database_url, redis_url)
    return product.call(module, [command, *arguments], environment=environment)


announce = partial(_sit, "announce", module="workers.desk_sms")
sms = partial(_sit, "sms", module="workers.desk_sms")
mpesa = partial(_sit, "mpesa", module="workers.desk_mpesa")
staff = partial(_sit, "staff", module="workers.desk_staff")
factors = partial(_sit, "factors", module="workers.desk_factors")
cases = partial(_sit, "cases")
reversals = partial(_sit, "reversals")
report = partial(_sit, "report")
sanctions = partial(_sit, "sanctions")
tier = partial(_sit, "tier")
till = partial(_sit, "till")
