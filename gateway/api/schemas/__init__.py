"""What programs send and are sent: pydantic at the door, dataclasses behind it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

SEEN: Final = r"^[^\x00-\x1f\x7f]*$"

Words = Annotated[str, StringConstraints(max_length=500, min_length=1, pattern=SEEN)]


class Sent(BaseModel):
    """What a program sends: nothing that we do not know, and no number where words are meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Told(BaseModel):
    """What a program is told."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)
