"""
What was said outside the database: a folder with the log's public key and every checkpoint.

`checkpoints.jsonl` is only ever appended to, one signed note a line, as a JSON string. A line that
a crash cut short is passed over, and the next one begins on a line of its own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from core.seal_notes import Checkpoint

_TAIL_BYTES: Final = 8192


class Outside:
    """
    The folder.

    Args:
        folder: Where it lies; made by whoever first writes.
    """

    def __init__(self, folder: Path) -> None:
        self._key = folder / "key"
        self._checkpoints = folder / "checkpoints.jsonl"

    def stamp(self) -> tuple[int, int]:
        """What changes whenever something was said; zeros where nothing was."""
        try:
            found = self._checkpoints.stat()
        except OSError:  # not there; or not to be read, which `newest` will say
            return 0, 0
        return found.st_size, found.st_mtime_ns

    def newest(self) -> Checkpoint | None:
        """
        The checkpoint that was said last; None where none was.

        Raises:
            ValueError: Something was said, and it is not understood.
        """
        try:
            with self._checkpoints.open("rb") as file:
                length = file.seek(0, os.SEEK_END)
                file.seek(max(length - _TAIL_BYTES, 0))
                tail = file.read()
        except FileNotFoundError:
            return None
        lines = tail.split(b"\n")[:-1]  # what follows the last end of line was cut short
        if length > _TAIL_BYTES:
            lines = lines[1:]
        for line in reversed(lines):
            try:
                note = json.loads(line)
            except ValueError:
                continue
            if isinstance(note, str):
                return Checkpoint.read(note)
        if length:
            raise ValueError(f"{self._checkpoints} holds no checkpoint")
        return None

    def key(self) -> str | None:
        """The public key of the log; None where nothing was sealed yet."""
        try:
            return self._key.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def say_key(self, verifier: str) -> None:
        """Write the public key down, unless it stands there."""
        if self.key() == verifier:
            return
        self._key.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = self._key.with_suffix(".new")
        new.write_text(verifier + "\n", encoding="utf-8")
        new.replace(self._key)

    def say(self, note: str) -> None:
        """Append a checkpoint; when this returns, it is on the disk."""
        self._checkpoints.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        mode = os.O_RDWR | os.O_CREAT | os.O_APPEND
        file = os.open(self._checkpoints, mode, 0o644)
        try:
            length = os.fstat(file).st_size
            is_cut = length > 0 and os.pread(file, 1, length - 1) != b"\n"
            line = (b"\n" if is_cut else b"") + json.dumps(note).encode() + b"\n"
            if os.write(file, line) != len(line):
                raise OSError(f"{self._checkpoints} took only part of a line: is the disk full?")
            os.fsync(file)
        finally:
            os.close(file)
