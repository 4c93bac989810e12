"""
HTTP over a pool of connections, that tells what became of a request.

Three ends: it was answered (whatever the answer), it was written and not answered (`Unknown`), or
nothing of it was written (`Unreachable`). Nothing is ever repeated here.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from workers.errors import Unknown, Unreachable

_BODY_BYTES_MAX = 64 * 1024
_CONNECTIONS_KEPT = 10
_SECONDS_MIN = 0.001  # a socket takes 0 to mean "do not wait at all"

_TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # urllib3's and http.client's word for a malformed request or response
)


class Timeouts(NamedTuple):
    """
    How long a call may take to be connected, and from then on to be answered in full.

    Each bounds the whole of its phase: all addresses and the TLS greeting; head and body. How long
    a name takes to resolve is the system's to say (resolv.conf); nothing here can interrupt that.
    """

    connect_seconds: float = 3.05
    read_seconds: float = 9.0


@dataclass(frozen=True)
class Answer:
    """An HTTP response; `body` is None where it was cut off, too long or too slow to read."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class Transport:
    """
    A pooled session. The threads of one process may share it; a fork must make its own.

    Args:
        headers: Sent with every request. A key belongs here, so that no argument of a call, and
            so no traceback, ever holds it.
        may_reach: Whether an address (as numbers) may be connected to; without it any may.
    """

    def __init__(
        self, *, headers: Mapping[str, str], may_reach: Callable[[str], bool] | None = None
    ) -> None:
        self.session = _session(headers, may_reach)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        data: Mapping[str, Any] | bytes | None,
        params: Mapping[str, Any] | None,
        timeouts: Timeouts,
    ) -> Answer:
        """
        Make a request once.

        Raises:
            Unreachable: Nothing of it was written.
            Unknown: It was written, at least in part, and not answered.
        """
        _wire.written = False
        try:
            response = self.session.request(
                method,
                url,
                headers=headers,
                data=data,
                params=params,
                timeout=timeouts,
                stream=True,
                allow_redirects=False,
            )
            with closing(response):
                return Answer(response.status_code, response.headers, _read(response))
        except _TRANSPORT_ERRORS as error:
            failure = _name(error)
        # Raised out here, so that the error cannot lead back to the request and the key in it.
        if _wire.written:
            why = f"no answer after the request was written ({failure})"
            raise Unknown(why, is_silence=True)
        raise Unreachable(f"no connection, nothing was written ({failure})")

    def close(self) -> None:
        """Hang up the pooled connections."""
        self.session.close()


def _read(response: requests.Response) -> bytes | None:
    """Read a body to its end, unless it is cut off, too long, or not there in time."""
    body = b""
    try:
        while len(body) <= _BODY_BYTES_MAX:
            chunk = response.raw.read1(_BODY_BYTES_MAX + 1 - len(body), decode_content=True)
            if not chunk:
                return body
            body += chunk
    except _TRANSPORT_ERRORS:
        return None
    return None


def _name(error: Exception) -> str:
    """Name the innermost cause: its words may quote the request, its class never does."""
    cause = error.args[0] if error.args else None
    cause = getattr(cause, "reason", cause)
    return type(cause if isinstance(cause, Exception) else error).__name__


# ------------------------------------------------------------------------------ the connection


_wire = threading.local()
"""`written`: whether any byte of this thread's present request may have left the machine."""


class _UntilDeadline(io.RawIOBase):
    """A socket's bytes until a moment: a timeout per read never comes while bytes drip in."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line = line
        self._bytes = line.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - as io has it
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)
        return self._bytes.readinto(buffer)

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response whose head, body and any "100 Continue"s before them share one read timeout."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **kwargs)
        deadline = time.monotonic() + (sock.gettimeout() or 0)
        unbounded, self.fp = self.fp, io.BufferedReader(_UntilDeadline(sock, deadline))
        unbounded.close()

    def begin(self) -> None:
        super().begin()
        # urllib3 would log, as a warning, whatever stands in a head and cannot be parsed.
        self.msg.set_payload("")
        self.msg.defects.clear()


class AddressForbidden(NewConnectionError):
    """The name leads to an address that may not be reached."""


class _Connection(HTTPConnection):
    """
    A connection that notes the moment a request begins to be written.

    The errors alone do not tell: a reset while greeting (TLS) and a reset after the request was
    read look the same from above, and only the first may be repeated.
    """

    response_class = _Response

    @staticmethod
    def may_reach(_address: str) -> bool:
        """Whether to connect to an address (as numbers): to any, unless a guard stands here."""
        return True

    def send(self, data: Any) -> None:  # noqa: ANN401 - as http.client has it
        if self.sock is None:
            self.connect()
        _wire.written = True
        super().send(data)

    def _new_conn(self) -> socket.socket:
        """
        Connect to the first address that answers, all of them within one connect timeout.

        urllib3 gives the whole of it to each. Here each has an equal part of what is left (as
        with Go's dialer), so that a dead first address leaves time for the second.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        # These very addresses are connected to, so a name that leads elsewhere a moment later leads
        # nowhere; and one that leads to both kinds is up to no good.
        if not all(self.may_reach(str(each[4][0])) for each in found):
            raise AddressForbidden(self, "its name leads where we do not call")
        assert isinstance(self.timeout, float | int)  # the session never goes without
        deadline = time.monotonic() + self.timeout
        failed: OSError | None = None
        for tried, address in enumerate(found):
            share = (deadline - time.monotonic()) / (len(found) - tried)
            try:
                line = create_connection(
                    address[4][:2],  # type: ignore[arg-type]  # host and port, of either family
                    max(share, _SECONDS_MIN),
                    socket_options=self.socket_options,
                )
            except OSError as error:
                failed = error
                continue
            line.settimeout(max(deadline - time.monotonic(), _SECONDS_MIN))  # for TLS to greet
            return line
        if isinstance(failed, TimeoutError):
            raise ConnectTimeoutError(self, "no address answered in time")
        raise NewConnectionError(self, "no address accepted a connection")


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: even told not to follow, requests would read all of a redirect's body first."""


def _session(
    headers: Mapping[str, str], may_reach: Callable[[str], bool] | None
) -> requests.Session:
    session = _Session()
    # The environment must not reroute the key (HTTP_PROXY), replace it (.netrc) or choose whom we
    # trust (REQUESTS_CA_BUNDLE): settings come from core/settings.py alone. It is also read anew
    # from disk for every request otherwise.
    session.trust_env = False
    session.headers = requests.structures.CaseInsensitiveDict(
        # A plain body, so that its size is known before it is unpacked.
        {"Accept-Encoding": "identity", **headers}
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # A repeated POST is a second message, so no retry of any kind. A connection the provider
    # closed while idle is noticed before it is written to, and replaced; one that closes in the
    # very moment of writing is an Unknown like any other cut.
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS_KEPT, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    if may_reach is not None:
        adapter.poolmanager.pool_classes_by_scheme = {
            "http": _guarded(_Pool, may_reach),
            "https": _guarded(_TlsPool, may_reach),
        }
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _guarded(
    pool: type[urllib3.HTTPConnectionPool], may_reach: Callable[[str], bool]
) -> type[urllib3.HTTPConnectionPool]:
    """The same pool, its connections made to such addresses alone."""
    guard = {"may_reach": staticmethod(may_reach)}
    connection = type("_Guarded", (pool.ConnectionCls,), guard)
    return type("_GuardedPool", (pool,), {"ConnectionCls": connection})
