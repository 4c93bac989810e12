"""
How the web is served: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`, from the repository's root.

Like core/settings.py this reads the environment, because it is read before there is an application:
PORT (8000), and WEB_HOST (127.0.0.1; the image says 0.0.0.0).
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

# ruff: noqa: TID251, INP001 - see above; and no package, but a file that gunicorn is pointed to

bind = f"{os.environ.get('WEB_HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"

worker_class = "gthread"
workers = 2
threads = 8


def when_ready(server: object) -> None:  # noqa: ARG001 - gunicorn's signature
    """
    Import what the workers are made of once, before they are: half the work of a start.

    Callers wait at the open socket meanwhile. What is connected is connected in each of them,
    by wsgi.py: no connection outlives a fork.
    """
    for each in (
        "core.logs",
        "gateway.composing",
        "menus.conversation",
        "workers.bell",
        "workers.strikes",
    ):
        importlib.import_module(each)


# A worker that does not stir for so long is replaced. A hop waits 2 s for its order at most.
timeout = 30
graceful_timeout = 10
# The aggregator, or the proxy before us, sends hop after hop over one connection.
keepalive = 30

# Addresses hold the callback token, so no line is written per request; the application logs hops.
accesslog = None
errorlog = "-"
loglevel = "warning"

# Nobody steers it from outside, and the socket would lie in somebody's home.
control_socket_disable = True

# Where workers show that they live: in memory where there is such a place, as a disk may stall.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn makes a file of its own there
