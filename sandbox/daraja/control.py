"""
What tests and those who play tell the fake Safaricom to do, below `/daraja/control`.

| door                      | does                                                                |
|---------------------------|---------------------------------------------------------------------|
| `/faults`                 | `GET`, `POST`, `DELETE`: `sandbox/daraja/faults.py`                 |
| `/presets`                | `GET`: the scripts that have a name                                 |
| `/weather`                | `PUT`, `DELETE`: faults drawn at random, the same for the same seed |
| `/terms`                  | `GET`, `PUT`, `DELETE`: `sandbox/daraja/terms.py`                   |
| `/requests`, `/callbacks` | `GET`, `DELETE`: `sandbox/daraja/record.py`                         |
| `/phones/<number>`        | `GET`, `PUT`: a person's M-PESA: `balance`, `pin`, `name`, `habit`  |
|                           | (`ask` `accept` `cancel` `ignore` `wrong-pin`, null for the usual), |
|                           | `registered`, `locked`, `sim_changed`                               |
| `/phones`                 | `DELETE`: everybody is as they were before anything was told        |
| `/accounts/<shortcode>`   | `GET`, `PUT`: its accounts by name, such as                         |
|                           | `{"Utility Account": "500.00"}`                                     |
| `/transactions`           | `GET`: all of Safaricom's book, oldest first; `?receipt=` narrows   |
| `/statement`              | `GET`: an account as CSV: `sandbox/daraja/statement.py`             |
| `/totals`                 | `GET`: what was collected, paid out and reversed, and how often     |
| `/initiators`             | `DELETE`: unlocks them; `PUT {"name", "password"}` changes a        |
|                           | password, `{"name", "forbidden": true}` takes the role away         |
| `/urls`                   | `DELETE`: no address is registered                                  |
| `/tokens`                 | `DELETE`: every access token is void                                |
| `/quota`                  | `DELETE`: a new quota begins                                        |
| `/certificate`            | `GET`: Safaricom's certificate, PEM                                 |
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest

from sandbox.daraja import book_doors, faults
from sandbox.daraja.faults import PRESETS, Weather
from sandbox.daraja.safaricom import Safaricom
from sandbox.told import body, said, string

_PREFIX = "/control"


def hang(doors: Blueprint, safaricom: Safaricom) -> None:
    """Hang the control doors on the provider's blueprint."""
    _hang_faults(doors, safaricom)
    _hang_weather(doors, safaricom)
    _hang_terms(doors, safaricom)
    _hang_record(doors, safaricom)
    book_doors.hang(doors, safaricom)
    _hang_gate(doors, safaricom)


def _hang_faults(doors: Blueprint, safaricom: Safaricom) -> None:
    script = safaricom.faults

    @doors.get(_PREFIX + "/faults")
    def left() -> Response:
        return jsonify(script.left())

    @doors.post(_PREFIX + "/faults")
    def add() -> tuple[Response, int]:
        try:
            fault = faults.read(body())
        except KeyError as error:
            raise BadRequest(f"There is no preset {error}.") from error
        except ValidationError as error:
            raise BadRequest(f"No fault this provider knows: {said(error)}") from error
        if not script.add(fault):
            raise BadRequest("Too many faults are waiting; DELETE /daraja/control/faults first.")
        return jsonify(script.left()), 201

    @doors.delete(_PREFIX + "/faults")
    def clear() -> tuple[str, int]:
        script.clear()
        return "", 204


def _hang_weather(doors: Blueprint, safaricom: Safaricom) -> None:
    script = safaricom.faults

    @doors.get(_PREFIX + "/presets")
    def presets() -> Response:
        return jsonify(PRESETS)

    @doors.put(_PREFIX + "/weather")
    def brew() -> tuple[str, int]:
        try:
            script.change_weather(Weather.model_validate(body()))
        except KeyError as error:
            raise BadRequest(f"There is no preset {error}.") from error
        except ValidationError as error:
            raise BadRequest(f"No weather: {said(error)}") from error
        return "", 204

    @doors.delete(_PREFIX + "/weather")
    def calm() -> tuple[str, int]:
        script.change_weather(None)
        return "", 204


def _hang_terms(doors: Blueprint, safaricom: Safaricom) -> None:
    @doors.get(_PREFIX + "/terms")
    def shown() -> Response:
        return jsonify(safaricom.house.terms.model_dump(mode="json"))

    @doors.put(_PREFIX + "/terms")
    def change() -> Response:
        try:
            terms = safaricom.house.change(body())
        except ValidationError as error:
            raise BadRequest(f"Nobody is treated like that: {said(error)}") from error
        return jsonify(terms.model_dump(mode="json"))

    @doors.delete(_PREFIX + "/terms")
    def usual() -> tuple[str, int]:
        safaricom.house.restore()
        return "", 204


def _hang_record(doors: Blueprint, safaricom: Safaricom) -> None:
    record = safaricom.record

    @doors.get(_PREFIX + "/requests")
    def requests() -> Response:
        return jsonify(record.requests(request.args.get("api")))

    @doors.get(_PREFIX + "/callbacks")
    def callbacks() -> Response:
        return jsonify(record.callbacks(request.args.get("kind")))

    for name, forget in (
        ("requests", record.forget_requests),
        ("callbacks", record.forget_callbacks),
    ):
        _hang_deletion(doors, f"/{name}", forget)


def _hang_gate(doors: Blueprint, safaricom: Safaricom) -> None:
    _hang_deletion(doors, "/tokens", safaricom.gate.expire_tokens)
    _hang_deletion(doors, "/quota", safaricom.gate.count_anew)
    _hang_deletion(doors, "/initiators", safaricom.initiators.unlock)
    _hang_deletion(doors, "/urls", safaricom.paybill.forget)
    _hang_deletion(doors, "/phones", safaricom.book.forget_people)

    @doors.put(_PREFIX + "/initiators")
    def initiator() -> tuple[str, int]:
        told = body()
        name = string(told, "name", 100)
        if told.get("forbidden") is True:
            safaricom.initiators.forbid(name)
        else:
            safaricom.initiators.set_password(name, string(told, "password", 100))
        return "", 204

    @doors.get(_PREFIX + "/certificate")
    def certificate() -> Response:
        return Response(safaricom.key.certificate, content_type="application/x-pem-file")


def _hang_deletion(doors: Blueprint, path: str, act: Callable[[], None]) -> None:
    def delete() -> tuple[str, int]:
        act()
        return "", 204

    doors.add_url_rule(_PREFIX + path, f"delete{path}", delete, methods=["DELETE"])
