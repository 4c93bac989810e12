"""
A provider of SMS on the loopback that does what each test tells it to, down to the bytes.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from africastalking.SMS import SMSService

from workers.errors import CallFailed
from workers.sms.africastalking import TIMEOUTS, AfricasTalking

KEY = "atsk_0123456789abcdef"
TO = "+254712000001"
TEXT = "Umepokea KES 500.00 kutoka kwa Otieno"

# A certificate for 127.0.0.1 that nobody trusts, good until 2120.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBWzCCAQCgAwIBAgIBATAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhMb29wYmFj
azAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowEzERMA8GA1UEAwwI
TG9vcGJhY2swWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARhpa3lMPSyiBxxvzkD
1Pq3K7mp9qo49BzgmPlTGbR/1YFEJS4JUpoa2N2OpvxvjcRCsP3v9Q14CnsEp8LP
3xALo0MwQTAPBgNVHREECDAGhwR/AAABMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0O
BBYEFEx7OY8iktndX5My/S9fKsx3USlwMAoGCCqGSM49BAMCA0kAMEYCIQCnRHrA
t6KkJlOZR4g9DMARyT0GcpzP3MJTNpb4kr2/2AIhAO2nvwxyJiwi3WyrBtvlS0uv
Tg83s2rpyIRFie0nQ7QK
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8vXu70M9803+7J18
Px0i+GXAssWCNMZscIGOi846qYKhRANCAARhpa3lMPSyiBxxvzkD1Pq3K7mp9qo4
9BzgmPlTGbR/1YFEJS4JUpoa2N2OpvxvjcRCsP3v9Q14CnsEp8LP3xAL
-----END PRIVATE KEY-----
"""


def recipient(code=101, **fields):
    entry = {"statusCode": code, "number": TO, "status": "Success", "cost": "KES 0.8000"}
    return entry | {"messageId": "ATPid_1"} | fields


def body(*recipients, message="Sent to 1/1 Total Cost: KES 0.8000"):
    content = {"Message": message, "Recipients": list(recipients)}
    return json.dumps({"SMSMessageData": content}).encode()


class Line(BaseHTTPRequestHandler):
    """One connection to the provider; the script says what becomes of each request."""

    protocol_version = "HTTP/1.1"
    timeout = 5
    disable_nagle_algorithm = True

    def handle(self):
        self.server.connections += 1
        if self.server.script and self.server.script[0] is unread:
            self.server.script.popleft()
            self.connection.recv(1, socket.MSG_PEEK)
            return
        super().handle()

    def do_POST(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.form = {name: values[0] for name, values in parse_qs(sent.decode()).items()}
        self.server.requests.append((self.path, dict(self.headers), self.form))
        step = self.server.script.popleft() if self.server.script else self.server.otherwise
        step(self)

    do_GET = do_POST  # noqa: N815 - as http.server asks for it

    def log_message(self, *args):
        """Say nothing."""


Step = Callable[[Line], None]


class Provider(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, certificate: Path | None = None):
        super().__init__(("127.0.0.1", 0), Line)
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server_port}"
        self.script: deque[Step] = deque()
        self.otherwise: Step = answer()
        self.requests: list[tuple[str, dict, dict]] = []
        self.connections = 0
        self.open: set[socket.socket] = set()
        self.reached = threading.Event()
        self.release = threading.Event()
        self.closed = threading.Event()

    def process_request(self, request, client_address):
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)
        self.closed.set()

    def handle_error(self, request, client_address):
        """A client that hung up on us is no news."""


@contextmanager
def provided(certificate: Path | None = None) -> Iterator[Provider]:
    provider = Provider(certificate)
    thread = threading.Thread(target=provider.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield provider
    finally:
        provider.release.set()
        provider.shutdown()
        for line in list(provider.open):  # the package leaves some to the garbage collector
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        thread.join()
        provider.server_close()


# ------------------------------------------------------------------------------- the script


def answer(status=201, content=None, content_type="application/json", **headers) -> Step:
    content = body(recipient()) if content is None else content

    def step(line):
        line.send_response(status)
        line.send_header("Content-Type", content_type)
        line.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            line.send_header(name.replace("_", "-"), value)
        line.end_headers()
        line.wfile.write(content)

    return step


def raw(content: bytes) -> Step:
    def step(line):
        line.wfile.write(content)
        line.close_connection = True

    return step


def unread(line):
    """Hang up without reading the request."""


def hang_up(line):
    line.close_connection = True


def stall(line):
    line.server.reached.set()
    line.server.release.wait(5)
    line.close_connection = True


def stall_midway(line):
    line.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
    stall(line)


def drip(head: bytes, drop: bytes = b" ") -> Step:
    """Write a head, and then drop by drop for five seconds, never quiet for as long as a read."""

    def step(line):
        line.wfile.write(head)
        for _ in range(100):
            line.wfile.write(drop)
            if line.server.release.wait(0.05):
                break
        line.close_connection = True

    return step


def answer_and_hang_up(line):
    answer()(line)
    line.close_connection = True


# ------------------------------------------------------------------------------- who calls it


@contextmanager
def clients(default_url: str) -> Iterator[Callable[..., AfricasTalking]]:
    """Make clients, and close them afterwards."""
    with ExitStack() as stack:

        def make(url=default_url, *, timeouts=TIMEOUTS, username="kabambe", sender_id="KABAMBE"):
            made = AfricasTalking(
                username=username, api_key=KEY, url=url, sender_id=sender_id, timeouts=timeouts
            )
            stack.callback(made.close)
            return made

        yield make


def packaged(url: str) -> SMSService:
    """Make the official package's client as it comes, but for where it sends."""
    service = SMSService("kabambe", KEY)
    service._baseUrl = url + "/version1"
    return service


def failure(sender: AfricasTalking, to=TO, text=TEXT) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        sender.send(to=to, text=text)
    return caught.value


def dead_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
