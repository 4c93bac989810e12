"""The product's processes as the sandbox runs them: ports, environment, commands."""

from __future__ import annotations

import http
import http.client
import socket
import sys
from dataclasses import dataclass

from sandbox.environment import everything, variable

HOST = "127.0.0.1"
SERVICE_CODE = "*384#"

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
        account + "USERNAME": "sandbox",
        account + "API_KEY": "sandbox-api-key",
        account + "SENDER_ID": "KABAMBE",
        account + "CALLBACK_TOKEN": "sandbox",
        account + "URL": f"{ports.sandbox_url}/africastalking",
        "KABAMBE_RATES__URL": f"{ports.sandbox_url}/rates",
        "PYTHONUNBUFFERED": "1",  # a log tells what happened, not what happened a while ago
        "no_proxy": ",".join(sorted(near)),
    }


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
