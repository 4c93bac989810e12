"""A connection that breaks instead of answering."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from flask import Response, request


def reset() -> Response:
    """
    Cut the connection before a byte of the answer, with a TCP reset.

    The server closes a connection whose response cannot be written; with no lingering, closing
    resets it. Both gunicorn and Werkzeug's server hand their socket over in the environment.
    """
    for name in ("gunicorn.socket", "werkzeug.socket"):
        connection = request.environ.get(name)
        if isinstance(connection, socket.socket):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RD)  # no further request is waited for on it

    def broken() -> Iterator[bytes]:
        raise ConnectionResetError(104, "Connection reset by peer")
        yield b""

    return Response(broken(), 200)
