"""`./run` for real: started, used, interrupted, killed; with stores of its own and with others'."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from launched import STOP_SECONDS

from sandbox import children, demo, guard, product, stores
from sandbox.children import Child, Gone
from sandbox.engines import Postgres, Valkey
from sandbox.engines.processes import alive, command, within
from sandbox.environment import everything


def family(pid):
    """A process and everything it started, by asking the system and not by names."""
    if Path("/proc/self/stat").exists():
        parents = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                parents[int(path.parent.name)] = int(fields[1])
    else:
        listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, check=True)
        parents = dict(map(int, line.split()) for line in listed.stdout.splitlines())
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return answer.status, answer.read().decode()


def none_left(pids):
    return within(STOP_SECONDS, lambda: not any(map(alive, pids)))


def running(house, words):
    return any(words in command(pid) for pid in family(house.process.pid))


class TestHouse:
    def test_it_starts_serves_refuses_a_second_heals_and_stops(self, run, tmp_path):
        home = tmp_path / "home"
        house = run(home).ready()
        self._serves(house)
        self._refuses_a_second(run, house, tmp_path)
        self._heals(house)
        self._stops(house)

        again = run(home).ready()
        started = family(again.process.pid)
        os.killpg(again.process.pid, signal.SIGKILL)
        assert none_left(started)

    def _serves(self, house):
        assert f"ready: http://127.0.0.1:{house.web}\n" in house.said
        assert f"http://127.0.0.1:{house.sandbox}/" in house.words
        assert "./run dial '*384#' --as 0712000001" in house.words
        assert f"PIN {demo.PIN}" in house.words
        for msisdn, name, _ in demo.PEOPLE:
            assert f"{msisdn.replace('+254', '0')}  {name}" in house.words
        assert get(f"http://127.0.0.1:{house.web}/live")[0] == 200
        assert get(f"http://127.0.0.1:{house.web}/ready")[0] == 200
        assert get(f"http://127.0.0.1:{house.sandbox}/")[0] == 200
        running = json.loads((house.home / "running.json").read_text())
        assert running["web"] == f"http://127.0.0.1:{house.web}"
        assert running["sandbox"] == f"http://127.0.0.1:{house.sandbox}"

    def _refuses_a_second(self, run, house, tmp_path):
        second = run(house.home)
        assert second.ended() == 1
        assert f"already runs on {house.home}, at http://127.0.0.1:{house.web}" in second.words
        elsewhere = run(tmp_path / "elsewhere", ports=(house.web, house.sandbox))
        assert elsewhere.ended() == 1
        assert f"port {house.web} is taken" in elsewhere.words
        assert f"PORT={house.web + 10} ./run" in elsewhere.words

    def _heals(self, house):
        before = family(house.process.pid)
        relay, postgres = (
            next(pid for pid in before if words in command(pid))
            for words in ("workers relay", "bin/postgres -D")
        )
        os.kill(relay, signal.SIGKILL)
        os.kill(postgres, signal.SIGKILL)
        assert within(10, lambda: "relay was ended by SIGKILL; it is started again" in house.words)
        assert within(10, lambda: "postgres ended; it is started again" in house.words)
        for words in ("workers relay", "bin/postgres -D"):
            assert within(10, lambda words=words: running(house, words))
        assert within(10, lambda: product.answers(house.web, "/ready"))

    def _stops(self, house):
        started = family(house.process.pid)
        assert len(started) > 7
        began = time.monotonic()
        house.process.send_signal(signal.SIGINT)
        assert house.ended() == 0
        assert time.monotonic() - began < STOP_SECONDS
        assert not [pid for pid in started if alive(pid)]
        assert not (house.home / "running.json").exists()

    def test_others_stores_are_used_and_nothing_is_embedded(self, run, tmp_path):
        postgres = Postgres(tmp_path / "theirs", fast=True).start()
        redis = Valkey(tmp_path / "theirs", fast=True).start()
        try:
            home = tmp_path / "home"
            house = run(home, DATABASE_URL=postgres.url, REDIS_URL=redis.url).ready()
            assert not (home / "pg").exists()
            assert not (home / "redis").exists()
            started = family(house.process.pid)
            house.process.kill()
            assert none_left(started)
            assert alive(postgres.pid)
            assert alive(redis.pid)
        finally:
            postgres.stop()
            redis.stop()


class TestRefusals:
    @pytest.mark.parametrize(
        ("variables", "words"),
        [
            ({"PORT": "web"}, "PORT is 'web': it must be a number from 1 to 65535"),
            ({"PORT": "8123", "SANDBOX_PORT": "8123"}, "give them two numbers"),
            (
                {"DATABASE_URL": "postgresql://me:hidden@127.0.0.1:1/x"},
                "no PostgreSQL answers at DATABASE_URL",
            ),
            ({"DATABASE_URL": "hidden is no address"}, "DATABASE_URL is no address"),
            ({"REDIS_URL": "redis://:hidden@127.0.0.1:1/0"}, "no Redis answers at REDIS_URL"),
            ({"REDIS_URL": "gopher://hidden"}, "REDIS_URL is no address"),
        ],
    )
    def test_each_says_what_to_change_and_no_secret(self, run, tmp_path, variables, words):
        house = run(tmp_path / "home", **variables)
        assert house.ended() == 1
        assert words in house.words
        assert "hidden" not in house.words
        assert "Traceback" not in house.words

    def test_a_command_that_does_not_exist(self, run, tmp_path):
        house = run(tmp_path / "home", arguments=("fly",))
        assert house.ended() == 2
        assert "there is no command 'fly'; see ./run help" in house.words

    def test_help_names_every_command_and_variable(self, run, tmp_path):
        house = run(tmp_path / "home", arguments=("help",))
        assert house.ended() == 0
        for word in (
            "dial",
            "test",
            "lint",
            "bench",
            "chaos",
            "lock",
            "KABAMBE_HOME",
            "DATABASE_URL",
        ):
            assert word in house.words


class TestChild:
    @pytest.fixture
    def make(self, tmp_path):
        with (tmp_path / "lock").open("w") as lock:
            watcher = guard.Guard(lock.fileno())

            def child(*command):
                return Child("clerk", [*command], everything(), tmp_path, watcher)

            yield child
            watcher.close()

    def test_one_that_dies_again_and_again_is_given_up_with_its_last_words(self, make, monkeypatch):
        monkeypatch.setattr(children, "_BACKOFF_SECONDS", (0.01, 0.01))
        clerk = make("sh", "-c", "echo no ink; exit 3")
        clerk.start()
        news = []

        def given_up():
            news.append(clerk.tend())

        with pytest.raises(Gone, match=r"clerk does not stay up \(ended with 3\):\n  no ink"):
            within(10, given_up)
        assert len([word for word in news if word]) == 2

    def test_the_guard_ends_what_a_child_left_in_other_groups(self, make, tmp_path):
        clerk = make(
            sys.executable,
            "-c",
            "import os, time\n"
            "if os.fork() == 0:\n"
            "    os.setpgid(0, 0)\n"
            "    open('{}', 'w').write(str(os.getpid()))\n"
            "time.sleep(60)\n".format(tmp_path / "pid"),
        )
        clerk.start()
        assert within(10, lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        stray = int((tmp_path / "pid").read_text())
        clerk.watcher.close()
        assert within(1, lambda: not alive(stray))
        assert clerk.ended() is not None

    def test_a_killed_guard_is_replaced(self, make):
        clerk = make("sleep", "60")
        clerk.start()
        clerk.watcher._process.kill()
        clerk.watcher._process.wait()
        clerk.watcher.look()
        clerk.watcher.close()
        assert clerk.ended() == -signal.SIGTERM


class TestSchema:
    def test_the_newest_revision_is_the_one_nobody_stands_upon(self, tmp_path):
        (tmp_path / "a.py").write_text('revision = "a"\ndown_revision = None\n')
        (tmp_path / "b.py").write_text('revision: str = "b"\ndown_revision: str | None = "a"\n')
        assert stores.heads(tmp_path) == {"b"}

    def test_ours_is_one(self):
        assert len(stores.heads()) == 1


class TestSurroundings:
    def test_the_callers_secrets_never_replace_the_sandboxs(self, monkeypatch):
        monkeypatch.setenv("KABAMBE_AFRICASTALKING__API_KEY", "a-true-key")
        monkeypatch.setenv("KABAMBE_AFRICASTALKING__URL", "https://example.com")
        monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 9")
        monkeypatch.setenv("no_proxy", "example.org")
        made = product.environment(product.Ports(1, 2), "postgresql:///x", "redis://x")
        assert "a-true-key" not in made.values()
        assert made["KABAMBE_ENVIRONMENT"] == "sandbox"
        assert made["KABAMBE_AFRICASTALKING__URL"] == "http://127.0.0.1:2/africastalking"
        assert "GUNICORN_CMD_ARGS" not in made
        assert made["no_proxy"] == "127.0.0.1,example.org,localhost"
