"""The commands for whoever works on Kabambe: test, lint, menus, openapi, bench, chaos, lock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from sandbox.engines.places import REPOSITORY
from sandbox.environment import everything, variable

# Two at once: what the smallest of our machines has.
_TEST_PROCESSES = "2"

_IMPORT_CONTRACTS = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
)

_CHECKS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy"],
    "lint-imports": ["-c", _IMPORT_CONTRACTS],
}

_REQUIREMENTS = ("requirements", "requirements-sandbox", "requirements-dev")


def lint(_: Sequence[str]) -> int:
    """Run the checks; the answer is the exit status."""
    return _verdict(_failed_checks())


def test(arguments: Sequence[str]) -> int:
    """
    Run the checks, then the tests; the answer is the exit status.

    Args:
        arguments: what pytest is told besides.

    """
    failed = _failed_checks()
    print("pytest", flush=True)
    if _python("-m", "pytest", "-n", _TEST_PROCESSES, *arguments):
        failed.append("pytest")
    return _verdict(failed)


def menus(arguments: Sequence[str]) -> int:
    """Draw the menus, or check the drawing; the answer is the exit status."""
    return _python("-m", "atlas", *arguments)


def openapi(_: Sequence[str]) -> int:
    """Write the description of the API to its file; the answer is the exit status."""
    return _python("tests/api/openapi_file.py")


def bench(arguments: Sequence[str]) -> int:
    """Run benchmarks; the answer is the exit status."""
    return _python("-m", "bench", *arguments)


def chaos(arguments: Sequence[str]) -> int:
    """
    Kill the house's parts under load; the answer is the exit status.

    This process becomes that program: it alone hears Ctrl-C, and takes its time to tidy up.
    """
    os.chdir(REPOSITORY)
    os.execve(sys.executable, [sys.executable, "-m", "chaos", *arguments], everything())


def lock(_: Sequence[str]) -> int:
    """Compile the requirements to exact versions with hashes; the answer is the exit status."""
    uv = variable("UV") or "uv"
    for name in _REQUIREMENTS:
        command = [uv, "pip", "compile", f"{name}.in", "--universal", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "-o", f"{name}.txt"]
        print(f"{name}.txt", flush=True)
        if subprocess.run(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=False
        ).returncode:
            return _verdict([f"compiling {name}.in"])
    return 0


def _failed_checks() -> list[str]:
    """Run every check, show what it says when it fails, and name those that did."""
    failed = []
    for name, arguments in _CHECKS.items():
        began = time.monotonic()
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        verdict = "FAILED" if ran.returncode else "ok"
        print(f"{name:<14}{verdict} ({time.monotonic() - began:.1f} s)", flush=True)
        if ran.returncode:
            print(ran.stdout, flush=True)
            failed.append(name)
    return failed


def _python(*arguments: str) -> int:
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, env=everything(), check=False
    ).returncode


def _verdict(failed: Sequence[str]) -> int:
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr, flush=True)
    return 1 if failed else 0
