"""
The country as a process, started as its own documentation says.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from standin import CODE, TOKEN, until

import sandbox.country


@contextmanager
def started(home, port: int) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run the command of the module's docstring, on a port of our own."""
    lines = sandbox.country.__doc__.split("gunicorn ")[1].split("\n\n")[0]
    arguments = lines.replace("\\", " ").replace("127.0.0.1:8001", f"127.0.0.1:{port}").split()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--log-level", "warning", *arguments],
        env={"KABAMBE_HOME": str(home), "PORT": "9", "HOME": str(home), "LANG": "C.UTF-8"},
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(10)


def is_live(url: str) -> bool:
    try:
        return requests.get(url + "/live", timeout=5).text == "ok"
    except requests.ConnectionError:
        return False


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_starts_stops_and_remembers(tmp_path, port):
    form = {"username": "sandbox", "to": "+254712000001", "message": "Habari"}
    headers = {"apiKey": "sandbox-api-key", "Accept": "application/json"}
    with started(tmp_path, port) as (url, process):
        until(lambda: is_live(url))
        send = f"{url}/africastalking/version1/messaging"
        requests.post(f"{url}/africastalking/faults", json={"kind": "reset"}, timeout=5)
        with pytest.raises(requests.ConnectionError):
            requests.post(send, data=form, headers=headers, timeout=5)
        assert requests.post(send, data=form, headers=headers, timeout=5).status_code == 201
        stream = requests.get(f"{url}/africastalking/messages/stream", stream=True, timeout=5)
        assert next(stream.iter_lines()) == b": ping"
        process.terminate()
        assert process.wait(5) == 0  # an open stream does not hold it back
        stream.close()

    with started(tmp_path, port) as (url, _):
        until(lambda: is_live(url))
        messages = requests.get(f"{url}/africastalking/messages", timeout=5).json()
        assert [each["message"] for each in messages] == ["Habari"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/phone.css", "text/css"),
        ("/phone.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_serves_the_page_from_itself_alone(path, kind):
    app = sandbox.country.create_app("http://127.0.0.1:9", CODE, TOKEN)
    answer = app.test_client().get(path, buffered=True)

    assert answer.status_code == 200
    assert answer.mimetype == kind
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    for elsewhere in ("http://", "https://", "//cdn", "<style", "style=", "onclick"):
        assert elsewhere not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_importing_the_module_makes_nothing():
    code = "import sandbox.country as c; print('app' in vars(c))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_has_no_other_attributes():
    with pytest.raises(AttributeError, match="application"):
        sandbox.country.application  # noqa: B018
