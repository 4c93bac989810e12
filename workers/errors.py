"""
What may become of a call to somebody else's service, when it is not a plain success.

    CallFailed
    ├── Rejected       it did not happen and never will: tell whoever waits
    ├── Blocked        it did not happen, nor will anything until staff mend something: wait
    ├── Unreachable    it did not happen this time: repeat it later
    └── Unknown        it may have happened: ask, and never repeat it blindly

These are between the workers and the outside, so they are no `DomainError`s: nobody sees them on
a phone. Their words never hold a secret, a message's text or anything else the other side sent.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class CallFailed(Exception):
    """A call to the outside did not succeed; `why` says so in one line fit for a log."""

    why: str

    def __str__(self) -> str:
        return self.why


@dataclass(eq=False)
class Rejected(CallFailed):
    """
    The other side refused; the same call will be refused again.

    `code` is one word out of a closed list (`UserInBlacklist`), to count and to search by.
    `alert` marks what staff must know and only they can mend, such as a bad sender.
    """

    code: str
    alert: bool = False


@dataclass(eq=False)
class Blocked(CallFailed):
    """
    It certainly did not happen, and no call will until staff mend something: credit, a key.

    `code` is one word out of a closed list (`InsufficientBalance`), to count and to search by.
    """

    code: str


@dataclass(eq=False)
class Unreachable(CallFailed):
    """
    It certainly did not happen, or the other side itself says to try later.

    `retry_after_seconds` is how long the other side asked us to wait, where it did.
    """

    retry_after_seconds: float | None = None


@dataclass(eq=False)
class Unknown(CallFailed):
    """
    It was asked for and never answered for: it may have happened.

    `is_silence` says that nothing came, rather than something we cannot read.
    """

    is_silence: bool = False
