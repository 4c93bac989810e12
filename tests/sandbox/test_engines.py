"""The embedded engines: started once, adopted, killed, as root and not."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from sandbox.engines import EngineError, Postgres, Valkey, binaries, places
from sandbox.engines.processes import alive, within

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Start one server for the tests that only look."""
    server = Postgres(tmp_path_factory.mktemp("home"), fast=True).start()
    yield server
    server.stop()


def ask(server, statement):
    engine = sa.create_engine(server.url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        answer = connection.exec_driver_sql(statement)
        return answer.scalar() if answer.returns_rows else None


OWNER = """
import sys
from pathlib import Path
from sandbox.engines import Postgres
print(Postgres(Path(sys.argv[1]), fast=True).start().pid, flush=True)
sys.stdin.read()
"""


def owner(home):
    """Start a process that starts the server and stays until its input ends."""
    command = [sys.executable, "-c", OWNER, str(home)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe)


class TestPostgres:
    def test_it_is_the_production_version_and_takes_as_many_connections_as_we_need(self, postgres):
        assert ask(postgres, "show server_version").startswith("18.")
        assert ask(postgres, "show max_connections") == "200"
        assert ask(postgres, "show timezone") == "UTC"

    def test_nothing_listens_on_the_network(self, postgres):
        assert ask(postgres, "show listen_addresses") == ""
        assert postgres.socket_path.is_socket()
        assert postgres.socket_path.parent.stat().st_mode & 0o077 == 0

    def test_only_tests_do_without_durability(self, postgres, tmp_path):
        assert ask(postgres, "show fsync") == "off"
        durable = Postgres(tmp_path).start()
        try:
            assert ask(durable, "show fsync") == "on"
            assert ask(durable, "show synchronous_commit") == "on"
        finally:
            durable.stop()

    def test_a_second_start_adopts_the_server_and_does_not_end_it(self, postgres):
        second = Postgres(postgres.home).start()
        assert second.adopted
        assert second.pid == postgres.pid
        second.stop()
        assert alive(postgres.pid)

    def test_three_starts_at_once_make_one_server(self, tmp_path):
        starts = [owner(tmp_path) for _ in range(3)]
        pids = {int(start.stdout.readline()) for start in starts}
        for start in starts:
            start.communicate(timeout=10)
        assert len(pids) == 1
        assert within(5, lambda: not alive(*pids))

    def test_a_killed_servers_busy_session_is_waited_for(self, tmp_path):
        server = Postgres(tmp_path, fast=True).start()
        engine = sa.create_engine(server.url, poolclass=sa.NullPool)

        def count():
            with contextlib.suppress(sa.exc.OperationalError), engine.connect() as connection:
                connection.exec_driver_sql("select sum(n) from generate_series(1, 3000000) n")

        counting = threading.Thread(target=count)
        counting.start()
        statement = "select count(*) from pg_stat_activity where query like 'select sum%%'"
        assert within(5, lambda: ask(server, statement))
        os.kill(server.pid, signal.SIGKILL)
        server._process.wait(10)
        again = Postgres(tmp_path, fast=True).start()
        counting.join()
        assert ask(again, "select 1") == 1
        again.stop()

    def test_what_was_committed_outlives_a_killed_server(self, tmp_path):
        server = Postgres(tmp_path).start()
        ask(server, "create table kept as select 7 as number")
        os.kill(server.pid, signal.SIGKILL)
        server._process.wait(10)
        again = Postgres(tmp_path).start()
        try:
            assert not again.adopted
            assert ask(again, "select number from kept") == 7
        finally:
            again.stop()

    def test_a_process_that_took_the_dead_servers_id_is_left_alone(self, tmp_path):
        server = Postgres(tmp_path, fast=True).start()
        words = (server.data / "postmaster.pid").read_text()
        server.stop()
        stale = words.replace(words.splitlines()[0], str(os.getpid()), 1)
        (server.data / "postmaster.pid").write_text(stale)
        server.start()
        try:
            assert not server.adopted
            assert server.pid != os.getpid()
        finally:
            server.stop()

    def test_a_killed_owner_takes_it_along_or_leaves_it_to_the_next_start(self, tmp_path):
        with owner(tmp_path) as killed:
            pid = int(killed.stdout.readline())
            killed.kill()
        if sys.platform == "linux":
            assert within(5, lambda: not alive(pid))
        server = Postgres(tmp_path, fast=True).start()
        assert server.adopted == (server.pid == pid)
        server.stop(adopted=True)
        assert server.pid is None

    def test_a_start_that_fails_says_why(self, tmp_path):
        server = Postgres(tmp_path, fast=True).start()
        server.stop()
        (server.data / "postgresql.conf").write_text("no_such_setting = 1\n")
        with pytest.raises(EngineError, match="no_such_setting"):
            server.start()

    def test_half_made_data_is_made_again(self, tmp_path):
        half = tmp_path / "pg" / "new"
        half.mkdir(parents=True)
        (half / "PG_VERSION").write_text("18")
        server = Postgres(tmp_path, fast=True).start()
        assert ask(server, "select 1") == 1
        server.stop()

    def test_without_namespaces_root_becomes_nobody_and_can_change_back(
        self, tmp_path, monkeypatch
    ):
        ours = os.geteuid()
        expected = pwd.getpwnam("nobody").pw_uid if ours == 0 else ours
        hidden = tmp_path / "hidden"
        hidden.mkdir(mode=0o700)
        (hidden / "bin").symlink_to(binaries.postgres())
        monkeypatch.setattr(binaries, "postgres", lambda: hidden / "bin")
        server = WithoutNamespaces(hidden, fast=True).start()
        ask(server, "create table kept as select 7 as number")
        assert server.data.stat().st_uid == expected
        server.stop()
        server = Postgres(hidden, fast=True).start()
        assert ask(server, "select number from kept") == 7
        assert server.data.stat().st_uid == ours
        server.stop()


class WithoutNamespaces(Postgres):
    """A server on a machine that forbids user namespaces, as many containers do."""

    def _launch(self, *arguments, ordinary=()):
        script = (
            "import sys\n"
            "from sandbox.engines import launch\n"
            "launch._try_namespace = lambda *_: open('/nowhere')\n"
            "launch.main(sys.argv[1:])\n"
        )
        command = super()._launch(*arguments, ordinary=ordinary)
        path = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        return [sys.executable, "-c", path + script, *command[3:]]


class TestSockets:
    def test_they_lie_in_the_home_where_the_path_is_short(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as home:
            assert places.sockets(Path(home)) == Path(home) / "run"

    def test_a_long_home_gets_a_short_private_folder(self, tmp_path):
        home = tmp_path / ("long" * 25)
        server = Postgres(home, fast=True).start()
        assert len(os.fsencode(server.socket_path)) <= places.SOCKET_PATH_BYTES_MAX
        assert ask(server, "select 1") == 1
        server.stop()
        shutil.rmtree(places.sockets(home))

    def test_somebody_elses_folder_is_refused(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "run").symlink_to(tmp_path / "real")
        with pytest.raises(PermissionError, match="not a folder of ours"):
            places.private(tmp_path / "run")


class TestValkey:
    def test_it_keeps_what_it_was_told(self, tmp_path):
        server = Valkey(tmp_path).start()
        redis.Redis.from_url(server.url).set("name", "Achieng")
        server.stop()
        server.start()
        assert redis.Redis.from_url(server.url).get("name") == b"Achieng"
        server.stop()

    def test_for_tests_it_keeps_nothing(self, tmp_path):
        server = Valkey(tmp_path, fast=True).start()
        redis.Redis.from_url(server.url).set("name", "Achieng")
        server.stop()
        server.start()
        assert redis.Redis.from_url(server.url).get("name") is None
        server.stop()

    def test_a_second_start_adopts_it_and_a_killed_one_is_replaced(self, tmp_path):
        server = Valkey(tmp_path).start()
        second = Valkey(tmp_path).start()
        assert second.adopted
        assert second.pid == server.pid
        os.kill(server.pid, signal.SIGKILL)
        server._process.wait(10)
        third = Valkey(tmp_path).start()
        assert not third.adopted
        third.stop()

    def test_it_never_forgets_to_make_room_and_hears_no_network(self, tmp_path):
        server = Valkey(tmp_path).start()
        settings = redis.Redis.from_url(server.url).config_get("*")
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["port"] == "0"
        server.stop()


class TestBinaries:
    def test_without_any_the_words_say_what_to_do(self, monkeypatch):
        monkeypatch.setattr(binaries, "_package", lambda _: None)
        monkeypatch.setattr(binaries, "_SYSTEM", Path("/nowhere"))
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(LookupError, match=r"no PostgreSQL here.*DATABASE_URL"):
            binaries.postgres()
        with pytest.raises(LookupError, match=r"no Valkey here.*REDIS_URL"):
            binaries.valkey()

    def test_the_systems_newest_is_taken_without_the_wheel(self, monkeypatch, tmp_path):
        for version in ("9", "15", "18"):
            (tmp_path / version / "bin").mkdir(parents=True)
            (tmp_path / version / "bin" / "initdb").touch()
        monkeypatch.setattr(binaries, "_package", lambda _: None)
        monkeypatch.setattr(binaries, "_SYSTEM", tmp_path)
        monkeypatch.setenv("PATH", "/nowhere")
        assert binaries.postgres() == tmp_path / "18" / "bin"
