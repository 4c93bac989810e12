"""
The floor of the routes for programs: a bare APIFlask route that reads JSON and inserts one row.

On the product's own gunicorn settings, pool and PostgreSQL, durable as it is.
"""

from __future__ import annotations

import os
from typing import Annotated

from apiflask import APIFlask
from pydantic import BaseModel, StringConstraints
from sqlalchemy import text

from core import db


class Asked(BaseModel):
    """What is sent."""

    to: str
    value: Annotated[str, StringConstraints(pattern=r"^[0-9.]+$")]


class Told(BaseModel):
    """What is answered."""

    id: int


app = APIFlask(__name__, spec_path=None, docs_path=None)
_databases = db.connect(
    os.environ["DATABASE_URL"],  # noqa: TID251 - it has no settings but this
    connections_max=8,
)
with _databases.begin() as _session:
    _session.execute(
        text(
            "CREATE TABLE IF NOT EXISTS bench_floor"
            " (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, recipient text, value text)"
        )
    )
_INSERT = text("INSERT INTO bench_floor (recipient, value) VALUES (:to, :value) RETURNING id")


@app.get("/ready")
def ready() -> str:
    """Say that it is there."""
    return "ok"


@app.post("/floor")
@app.input(Asked)
@app.output(Told, status_code=201)
def floor(json_data: Asked) -> Told:
    """Insert a row, and answer with its number."""
    with _databases.begin() as session:
        return Told(id=session.scalars(_INSERT, json_data.model_dump()).one())
