"""The product's processes as the sandbox runs them: ports, environment, commands."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http
import http.client
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.daraja.contract import Contract
from sandbox.engines.places import REPOSITORY, home, private
from sandbox.environment import everything, variable

HOST = "127.0.0.1"
SERVICE_CODE = "*384#"
PAYSTACK_KEY = "sk_test_sandbox"
FLUTTERWAVE_KEY = "FLWSECK_TEST-sandbox-X"
FLUTTERWAVE_HASH = "sandbox-flutterwave-hash"

_DOOR_TOKEN = "5a4d6b7e" * 4  # hexadecimal, as it must not spell what Safaricom refuses

_PORT_MAX = 65535
_ANSWER_SECONDS = 5.0


class Refused(Exception):
    """It cannot be started like this; the words say what to change."""


@dataclass(frozen=True)
class Ports:
    """Where the web and the sandbox listen, on this machine alone."""

    web: int
    sandbox: int

    @classmethod
    def chosen(cls) -> Ports:
        """
        Read PORT and SANDBOX_PORT.

        Raises:
            Refused: one is no port, or both are the same.

        """
        ports = cls(_port("PORT", 8000), _port("SANDBOX_PORT", 8001))
        if ports.web == ports.sandbox:
            raise Refused(f"PORT and SANDBOX_PORT are both {ports.web}: give them two numbers")
        return ports

    @property
    def web_url(self) -> str:
        return f"http://{HOST}:{self.web}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox}"

    def check_free(self) -> None:
        """
        See that nobody listens there.

        Raises:
            Refused: somebody does.

        """
        for name, port in (("PORT", self.web), ("SANDBOX_PORT", self.sandbox)):
            if not _free(port):
                raise Refused(
                    f"port {port} is taken by another program."
                    f" Stop that, or choose another port: {name}={port + 10} ./run"
                )


def _port(name: str, usual: int) -> int:
    chosen = variable(name) or str(usual)
    if not chosen.isascii() or not chosen.isdigit() or not 0 < int(chosen) <= _PORT_MAX:
        raise Refused(f"{name} is {chosen!r}: it must be a number from 1 to {_PORT_MAX}")
    return int(chosen)


def _free(port: int) -> bool:
    # Both ways: some systems let two programs listen on one port, on different addresses.
    with socket.socket() as asking:
        asking.settimeout(1)
        if asking.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError:
            return False
    return True


def environment(ports: Ports, database_url: str, redis_url: str) -> dict[str, str]:
    """What the product's processes are told: the caller's environment with the sandbox's words."""
    state = private(home())
    words = everything()
    for unwanted in ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"):
        words.pop(unwanted, None)
    account = "KABAMBE_AFRICASTALKING__"
    near = {"localhost", HOST, *filter(None, variable("no_proxy").split(","))}
    return words | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PORT": str(ports.web),
        "SANDBOX_PORT": str(ports.sandbox),
        "KABAMBE_ENVIRONMENT": "sandbox",
        "KABAMBE_PIN_PEPPER": "sandbox-pin-pepper",
        "KABAMBE_TURN_KEY": "sandbox-turn-key",
        "KABAMBE_VOUCHER_KEY": "sandbox-voucher-key",
        "KABAMBE_OTP_KEY": "sandbox-otp-key",
        "KABAMBE_AT_REST_KEY": "sandbox-at-rest-key",
        account + "USERNAME": "sandbox",
        account + "API_KEY": "sandbox-api-key",
        account + "SENDER_ID": "KABAMBE",
        account + "CALLBACK_TOKEN": "sandbox",
        account + "PER_SECOND": "500",
        account + "URL": f"{ports.sandbox_url}/africastalking",
        **_mpesa(ports, state),
        **_rails(ports),
        "KABAMBE_SEAL__ORIGIN": "kabambe.sandbox",
        "KABAMBE_SEAL__KEY": _key(state / "seal.key"),
        "KABAMBE_SEAL__FOLDER": str(log_folder(state, database_url)),
        "KABAMBE_API__PUBLIC_URL": ports.web_url,
        "KABAMBE_OIDC__ISSUER": f"{ports.sandbox_url}/oidc",
        "KABAMBE_OIDC__CALLED": "Sandbox",
        "KABAMBE_OIDC__AUTHORIZATION_URL": f"{ports.sandbox_url}/oidc/authorize",
        "KABAMBE_OIDC__CLIENT_ID": "kabambe-sandbox",
        "KABAMBE_OIDC__CLIENT_SECRET": "sandbox-oidc-secret",
        "KABAMBE_OIDC__REDIRECT_URL": f"{ports.sandbox_url}/oidc/landed",
        "KABAMBE_API__SIGNING_KEYS": f"sandbox:{_key(state / 'signing.key')}",
        "KABAMBE_RATES__URL": f"{ports.sandbox_url}/rates",
        "KABAMBE_WEBHOOKS__LOOPBACK": "true",
        "PYTHONUNBUFFERED": "1",  # a log tells what happened, not what happened a while ago
        "no_proxy": ",".join(sorted(near)),
    }


def _mpesa(ports: Ports, state: Path) -> dict[str, str]:
    """Our contract with the sandbox's Safaricom; its certificate is made if there is none yet."""
    certificate = state / "daraja.pem"
    if not certificate.exists():  # in a process of its own, as to import what makes it takes long
        make = [sys.executable, "-m", "sandbox.daraja.certificate", str(state)]
        subprocess.run(make, cwd=REPOSITORY, check=True)
    agreed = Contract()
    words = {
        "CONSUMER_KEY": agreed.key,
        "CONSUMER_SECRET": agreed.secret,
        "PASSKEY": agreed.passkey,
        "SHORTCODE": agreed.shortcode,
        "PAYOUT_SHORTCODE": agreed.payer,
        "INITIATOR": agreed.initiator,
        "INITIATOR_PASSWORD": agreed.password,
        "CERTIFICATE": str(certificate),
        "DOOR_TOKEN": _DOOR_TOKEN,
        "CALLBACK_URL": ports.web_url,
        "URL": f"{ports.sandbox_url}/daraja",
        "ADDRESSES": HOST,
        "PER_SECOND": "100",
    }
    return {"KABAMBE_MPESA__" + name: word for name, word in words.items()}


def _rails(ports: Ports) -> dict[str, str]:
    """Our accounts with the sandbox's Paystack and Flutterwave."""
    both = {
        "CURRENCIES": "NGN,KES",
        "EMAIL": "payments@kabambe.example",
        "RETURN_URL": f"{ports.sandbox_url}/",
    }
    paystack = both | {"SECRET_KEY": PAYSTACK_KEY, "URL": f"{ports.sandbox_url}/paystack"}
    flutterwave = both | {
        "SECRET_KEY": FLUTTERWAVE_KEY,
        "SECRET_HASH": FLUTTERWAVE_HASH,
        "URL": f"{ports.sandbox_url}/flutterwave/v3",
    }
    return {"KABAMBE_PAYSTACK__" + name: word for name, word in paystack.items()} | {
        "KABAMBE_FLUTTERWAVE__" + name: word for name, word in flutterwave.items()
    }


def log_folder(state: Path, database_url: str) -> Path:
    """Where what was sealed is said: a folder for each database, or an old one would stop a new."""
    return state / "log" / hashlib.sha256(database_url.encode()).hexdigest()[:12]


def _key(path: Path) -> str:
    """A key this sandbox signs with: made once, and read by nobody else."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    new = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
    with contextlib.suppress(FileExistsError):  # another was quicker: that one is the key
        os.link(new, path)
    new.unlink()
    return path.read_text(encoding="ascii").strip()


def migration() -> list[str]:
    return [sys.executable, "-m", "alembic", "upgrade", "head"]


def demo() -> list[str]:
    return [sys.executable, "-m", "sandbox.demo"]


def servers(ports: Ports) -> dict[str, list[str]]:
    """The processes that stay, by name."""
    gunicorn = [sys.executable, "-m", "gunicorn"]
    workers = [sys.executable, "-m", "workers"]
    country = ["--workers", "1", "--threads", "32", "--graceful-timeout", "1"]
    return {
        "web": [*gunicorn, "-c", "deploy/gunicorn.conf.py", "wsgi:app"],
        "sandbox": [
            *gunicorn,
            *country,
            "--no-control-socket",
            *("--bind", f"{HOST}:{ports.sandbox}"),
            "sandbox.country:app",
        ],
        "ledger": [*workers, "ledger"],
        "sms": [*workers, "sms"],
        "rails": [*workers, "rails"],
        "mpesa": [*workers, "mpesa"],
        "webhooks": [*workers, "webhooks"],
        "issuers": [*workers, "issuers"],
        "relay": [*workers, "relay"],
    }


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered, and well."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def call(module: str, arguments: Sequence[str], *, environment: Mapping[str, str]) -> int:
    """
    Run a command of the product's in its own process; the answer is its exit status.

    Files among the arguments are named from where `./run` was called.
    """
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=variable("KABAMBE_CALLED_FROM") or None,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    ).returncode
