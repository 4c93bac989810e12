"""Backups of a house's database, made and restored as an operator would."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from databases import create, drop, url_of
from house_under_test import build
from verifier_of import libpq

from sandbox.engines import binaries
from workers import resources


class Copies:
    """Copies of the database of a house that has one of its own."""

    def __init__(self, house, server: str, name: str, folder) -> None:
        self.house, self.server, self.name, self.folder = house, server, name, folder

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(binaries.postgres() / program), *(str(each) for each in arguments)]
        ran = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr

    def back_up(self, copy: str) -> None:
        self._run("pg_dump", "-Fc", "-f", self.folder / copy, libpq(self.house.database_url))

    def restore(self, copy: str) -> None:
        """The workers keep the connections they had: to them, PostgreSQL went and came back."""
        drop(self.server, self.name)
        create(self.server, self.name, template="template0")
        self._run("pg_restore", "-d", libpq(self.house.database_url), self.folder / copy)
        for role in ("owner", "web"):
            self.house.databases[role].kw["bind"].dispose()

    def said(self) -> dict[str, bytes]:
        """What was said outside, by the names of its files."""
        return {each.name: each.read_bytes() for each in self.house.outside.iterdir()}

    def say(self, said: dict[str, bytes]) -> None:
        """Have nothing else said outside."""
        for name, content in said.items():
            (self.house.outside / name).write_bytes(content)


@contextmanager
def opened(built, servers, template: str, folder) -> Iterator[Copies]:
    """Open a house of its own beside the one of all tests."""
    name, before = template.replace("template", "restore"), list(resources._installed)
    create(servers[0], name, template=template)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("core.logs.configure", lambda *_: None)  # the first house has done that
        try:
            with build(url_of(servers[0], name), built.redis_url) as house:
                house.reset()
                yield Copies(house, servers[0], name, folder)
        finally:
            resources._installed[:] = before
            drop(servers[0], name)
