"""What is no part of a provider's API: the page one pays on, and what tests tell the rail."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, render_template_string, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, HTTPException

from sandbox.rails.book import Charge
from sandbox.rails.faults import Script
from sandbox.rails.rail import Rail
from sandbox.told import body, said

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{{ title }}: checkout</title>
  <link rel="icon" href="/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/phone.css">
</head>
<body>
  <header class="top">
    <h1>{{ title }}</h1>
    <p class="lead">A page of the sandbox: no money moves outside it.</p>
  </header>
  <main><section class="line shown">
    <p><strong id="amount">{{ amount }}</strong></p>
    <p>Reference <kbd>{{ charge.reference }}</kbd></p>
    {% if charge.status in ("paid", "reversed") %}
    <p role="status" id="outcome">Paid.</p>
    {% else %}
    {% if charge.status == "declined" %}
    <p role="status" id="outcome">Declined: {{ charge.why }}. Try again?</p>
    {% endif %}
    <form method="post">
      <button type="submit" name="outcome" value="pay" id="pay">Pay</button>
      <button type="submit" name="outcome" value="fail" id="fail">Fail</button>
    </form>
    {% endif %}
    {% if charge.status != "open" and charge.return_url %}
    <p><a id="back" href="{{ charge.return_url }}?reference={{ charge.reference|urlencode }}"
      rel="noreferrer">Back to the shop</a></p>
    {% endif %}
  </section></main>
</body>
</html>
"""


def hang_page(doors: Blueprint, rail: Rail, *, title: str) -> None:
    """Hang the page on which a person pays, or fails to."""

    @doors.route("/checkout/<access>", methods=["GET", "POST"])
    def checkout(access: str) -> str:
        charge = rail.book.charge_of(access)
        if charge is None:
            abort(404, "Nothing is to be paid here.")
        if request.method == "POST":
            is_good = request.form.get("outcome") == "pay"
            charge = rail.pay(charge.reference, is_good=is_good) or charge
        return render_template_string(_PAGE, title=title, charge=charge, amount=_amount(charge))


def _amount(charge: Charge) -> str:
    return f"{charge.currency} {charge.amount / 100:,.2f}"


def hang_control(doors: Blueprint, rail: Rail) -> None:
    """Hang what tests tell the rail, and ask it."""
    _hang_faults(doors, rail)

    @doors.errorhandler(HTTPException)
    def problem(error: HTTPException) -> Response:
        answer = jsonify(error=error.description)
        answer.status_code = error.code or 500
        return answer

    @doors.get("/control/book")
    def book() -> Response:
        return jsonify(rail.book.shown())

    @doors.delete("/control/book")
    def anew() -> tuple[str, int]:
        rail.book.empty()
        rail.webhooks.forget()
        return "", 204

    @doors.put("/control/balances")
    def balances() -> tuple[str, int]:
        told = body()
        rail.book.balances.clear()
        rail.book.balances.update({str(name): int(str(much)) for name, much in told.items()})
        return "", 204

    @doors.get("/control/webhooks")
    def webhooks() -> Response:
        return jsonify(rail.webhooks.made())

    _hang_ends(doors, rail)


def _hang_ends(doors: Blueprint, rail: Rail) -> None:
    @doors.post("/control/charges/<reference>")
    def charge(reference: str) -> Response:
        match body().get("outcome"):
            case "pay" | "fail" as outcome:
                moved = rail.pay(reference, is_good=outcome == "pay")
            case "refund":
                moved = rail.give_back(reference)
            case _:
                raise BadRequest("'outcome' is pay, fail or refund.")
        if moved is None:
            raise BadRequest("No charge that this can happen to.")
        return jsonify(status=moved.status)

    @doors.post("/control/transfers/<reference>")
    def transfer(reference: str) -> Response:
        outcome = body().get("outcome")
        if outcome not in ("paid", "failed", "reversed"):
            raise BadRequest("'outcome' is paid, failed or reversed.")
        script = rail.faults.take("pay")
        moved = rail.end(reference, status=outcome, news=script.news)
        if moved is None:
            raise BadRequest("No transfer that this can happen to.")
        return jsonify(status=moved.status)


def _hang_faults(doors: Blueprint, rail: Rail) -> None:
    @doors.get("/control/faults")
    def left() -> Response:
        return jsonify(rail.faults.left())

    @doors.post("/control/faults")
    def add() -> tuple[Response, int]:
        try:
            script = Script.model_validate(body())
        except ValidationError as error:
            raise BadRequest(f"No fault this rail knows: {said(error)}") from error
        if not rail.faults.add(script):
            raise BadRequest("Too many faults are waiting; DELETE them first.")
        return jsonify(rail.faults.left()), 201

    @doors.delete("/control/faults")
    def clear() -> tuple[str, int]:
        rail.faults.clear()
        return "", 204
