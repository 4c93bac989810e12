"""`./run` before Python: what it brings, when, and what it says; with stand-ins for uv and pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TOOLS = ("sh", "cat", "cksum", "dirname", "mkdir", "mv", "rm", "sleep", "tr", "xargs", "chmod")

UV = """#!/bin/sh
echo "$@" >>"$CALLS"
case $1 in
--version) echo uv 0 ;;
venv)
    for place; do :; done
    mkdir -p "$place/bin"
    printf '#!/bin/sh\\necho "python $*"\\n' >"$place/bin/python"
    chmod +x "$place/bin/python"
    ;;
pip)
    sleep "${SLOW:-0}"
    [ "${UV_SYSTEM_CERTS:-}" = 1 ] || [ ! -e "$CALLS.certificate" ] || exit 1
    [ ! -e "$CALLS.fail" ] || { echo "no network" >&2; exit 1; }
    ;;
esac
"""
PYTHON_WITH_PIP = """#!/bin/sh
[ "$2 $3" != "pip --version" ] || exit 0
for word; do if [ "$before" = --target ]; then place=$word; fi; before=$word; done
echo "pip user=$PIP_USER" >>"$CALLS"
mkdir "$place/bin" && cp "$UV_STANDIN" "$place/bin/uv"
"""
PYTHON_WITHOUT_PIP = """#!/bin/sh
exit 1
"""
CURL = """#!/bin/sh
echo "curl $*" >>"$CALLS"
for word; do if [ "$before" = -o ]; then place=$word; fi; before=$word; done
echo 'cp "$UV_STANDIN" "$UV_UNMANAGED_INSTALL/uv"' >"$place"
"""


class Machine:
    """A machine with a checkout in a folder with a blank in its name, and few programs."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "my checkout"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        self.standin = folder / "uv-stand-in"
        self.checkout.mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(REPOSITORY / "run", self.checkout)
        for name in ("requirements", "requirements-sandbox", "requirements-dev"):
            (self.checkout / f"{name}.txt").write_text(f"{name}==1\n")
        for tool in (*TOOLS, "cp"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        self._write(self.standin, UV)

    @property
    def home(self) -> Path:
        return self.checkout / ".kabambe"

    def has(self, name: str, words: str) -> None:
        self._write(self.bin / name, words)

    def _write(self, path: Path, words: str) -> None:
        path.write_text(words)
        path.chmod(0o755)

    def start(self, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.Popen:
        environment = {
            "PATH": str(self.bin),
            "HOME": "",
            "CALLS": str(self.calls),
            "UV_STANDIN": str(self.standin),
        }
        return subprocess.Popen(
            [self.checkout / "run", *arguments],
            cwd=cwd or "/",
            env=environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **more) -> tuple[int, str, str]:
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=20)
        return process.returncode, out, err

    def asked(self, what: str) -> int:
        """How often uv was asked for something."""
        if not self.calls.exists():
            return 0
        return sum(line.startswith(what) for line in self.calls.read_text().splitlines())


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    made.has("uv", UV)
    return made


class TestEnvironment:
    def test_it_is_made_once_and_then_left_alone(self, machine):
        code, out, err = machine.run()
        assert code == 0, err
        assert out == "python -m sandbox\n"
        assert "installing the packages" in err
        assert machine.run("dial", "*384#", "--as", "0712000001") == (
            0,
            "python -m sandbox dial *384# --as 0712000001\n",
            "",
        )
        assert (machine.asked("venv"), machine.asked("pip install")) == (1, 1)

    def test_packages_are_taken_by_their_hashes_and_nothing_else_stays(self, machine):
        machine.run()
        (line,) = [line for line in machine.calls.read_text().splitlines() if "install" in line]
        assert "--exact --require-hashes" in line
        assert "requirements.txt" in line
        assert "requirements-sandbox.txt" in line
        assert "requirements-dev.txt" not in line

    def test_tests_need_more_and_running_keeps_it(self, machine):
        machine.run()
        machine.run("test")
        assert (machine.asked("venv"), machine.asked("pip install")) == (1, 2)
        machine.run()
        machine.run("lint")
        assert machine.asked("pip install") == 2
        (machine.checkout / "requirements.txt").write_text("requirements==2\n")
        machine.run()
        assert machine.calls.read_text().splitlines()[-1].count("-r ") == 3

    def test_a_changed_requirement_is_installed_into_the_same_environment(self, machine):
        machine.run()
        (machine.checkout / "requirements.txt").write_text("requirements==2\n")
        machine.run()
        assert (machine.asked("venv"), machine.asked("pip install")) == (1, 2)

    def test_a_failed_installation_says_so_and_is_made_anew(self, machine):
        fail = machine.calls.with_name("calls.fail")
        fail.touch()
        code, out, err = machine.run()
        assert code == 1
        assert out == ""
        assert err.endswith("the packages could not be installed: see above; then run this again\n")
        fail.unlink()
        assert machine.run()[0] == 0
        assert machine.asked("venv") == 2

    def test_uv_gets_the_systems_certificates_when_its_own_do_not_do(self, machine):
        machine.calls.with_name("calls.certificate").touch()
        code, out, err = machine.run()
        assert (code, out) == (0, "python -m sandbox\n")
        assert "with this system's certificates" in err

    def test_help_and_mistakes_install_nothing(self, machine):
        machine.has("python3", '#!/bin/sh\necho "system $*"\n')
        for word in ("help", "nonsense"):
            assert machine.run(word)[:2] == (0, f"system -m sandbox {word}\n")
        assert not machine.home.exists()


class TestPlaces:
    def test_a_relative_home_is_the_callers(self, machine, tmp_path):
        machine.run(cwd=tmp_path, KABAMBE_HOME="there/it is")
        assert (tmp_path / "there" / "it is" / "venv" / "installed-run").exists()
        assert not machine.home.exists()

    def test_a_home_that_cannot_be_made_is_told(self, machine, tmp_path):
        (tmp_path / "file").touch()
        code, _, err = machine.run(KABAMBE_HOME=str(tmp_path / "file" / "home"))
        assert code == 1
        assert "set KABAMBE_HOME to a folder of your own" in err


class TestTwoAtOnce:
    def test_one_installs_and_the_others_wait(self, machine):
        starts = [machine.start(SLOW="1") for _ in range(3)]
        said = [start.communicate(timeout=20) for start in starts]
        assert {out for out, _ in said} == {"python -m sandbox\n"}
        assert (machine.asked("venv"), machine.asked("pip install")) == (1, 1)
        assert sum("waiting for another ./run" in err for _, err in said) == 2

    def test_a_killed_ones_lock_is_taken_over(self, machine):
        gone = subprocess.Popen(["true"])
        gone.wait()
        lock = machine.home / "setup.lock"
        lock.mkdir(parents=True)
        (lock / "owner").write_text(f"{gone.pid}\n")
        began = time.monotonic()
        assert machine.run()[0] == 0
        assert time.monotonic() - began < 4
        assert not lock.exists()

    def test_an_interrupted_one_leaves_no_lock(self, machine):
        start = machine.start(SLOW="2")
        deadline = time.monotonic() + 10
        while not machine.asked("pip install"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        start.terminate()
        start.communicate(timeout=10)
        assert start.returncode == 143
        assert not (machine.home / "setup.lock").exists()


class TestUv:
    def test_pip_brings_it_into_our_folder_whatever_pip_was_told_before(self, tmp_path):
        machine = Machine(tmp_path)
        machine.has("python3", PYTHON_WITH_PIP)
        code, out, err = machine.run(PIP_USER="1")
        assert (code, out) == (0, "python -m sandbox\n"), err
        assert "bringing uv with pip" in err
        assert machine.asked("pip user=0") == 1
        assert (machine.home / "tools" / "bin" / "uv").exists()

    def test_it_is_brought_once(self, tmp_path):
        machine = Machine(tmp_path)
        machine.has("python3", PYTHON_WITH_PIP)
        machine.run()
        machine.run("test")
        assert machine.asked("pip user=0") == 1

    def test_without_pip_its_own_installer_brings_it(self, tmp_path):
        machine = Machine(tmp_path)
        machine.has("python3", PYTHON_WITHOUT_PIP)
        machine.has("curl", CURL)
        code, out, err = machine.run()
        assert (code, out) == (0, "python -m sandbox\n"), err
        assert "bringing uv with its own installer" in err

    def test_without_any_way_the_words_say_what_is_needed(self, tmp_path):
        machine = Machine(tmp_path)
        code, _, err = machine.run()
        assert code == 1
        assert "uv could not be brought" in err
        assert "install uv yourself" in err

    def test_where_there_is_only_python_python_is_its_curl(self, tmp_path):
        script = (REPOSITORY / "run").read_text()
        curl = tmp_path / "curl"
        curl.write_text(script.partition("<<'PYTHON'\n")[2].partition("\nPYTHON\n")[0])
        # The network is not reached: what would have been asked for comes back.
        (tmp_path / "sitecustomize.py").write_text(
            "import io, urllib.request\n"
            "urllib.request.urlopen = lambda address, timeout: io.BytesIO(address.encode())\n"
        )
        command = [sys.executable, str(curl), "-fsSL", "https://example.invalid/x", "-o", "brought"]
        environment = {"PYTHONPATH": str(tmp_path)}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=20)
        assert (tmp_path / "brought").read_text() == "https://example.invalid/x"


def test_no_registrys_address_stands_in_our_files():
    for name in ("run", "Dockerfile", "requirements.txt", "deploy/compose.yaml"):
        words = (REPOSITORY / name).read_text()
        assert "index-url" not in words
        assert "pypi" + ".org" not in words
        assert "files.python" + "hosted" not in words
