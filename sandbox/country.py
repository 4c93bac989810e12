r"""
A country on one laptop: its SMS and USSD provider, its Safaricom, and two phones in the browser.

Started from the repository's root, with exactly one worker, as the country's memory is its own:

    gunicorn --workers 1 --threads 32 --graceful-timeout 1 --no-control-socket \
        --bind 127.0.0.1:8001 sandbox.country:app

(`'sandbox.country:from_environment()'` does the same.) The short graceful timeout is for the open
message streams, which would otherwise be waited for. From the environment it reads `PORT`, where
the web is; `KABAMBE_AFRICASTALKING__USERNAME`, `__API_KEY`,
`__SENDER_ID` and `__CALLBACK_TOKEN`, and `KABAMBE_MPESA__SHORTCODE`, `__PAYOUT_SHORTCODE`,
`__PASSKEY`, `__CONSUMER_KEY`, `__CONSUMER_SECRET`, `__INITIATOR`, `__INITIATOR_PASSWORD` and
`__CERTIFICATE`, beside which Safaricom's key is kept, all of which the web and the workers read
too; and `KABAMBE_HOME`, where messages are kept between two runs. Each has the sandbox's default.

Development and tests only: whoever reaches this port can be any phone.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, render_template, send_from_directory

from sandbox import feed, oidc, webhooks
from sandbox.africastalking.account import Account
from sandbox.africastalking.courier import Courier, Pace
from sandbox.africastalking.doors import create_blueprint
from sandbox.africastalking.faults import Faults
from sandbox.africastalking.messages import Messages
from sandbox.africastalking.sms import DEFAULT_SENDER, Credentials, SmsApi
from sandbox.africastalking.ussd import Network
from sandbox.daraja import certificate
from sandbox.daraja import doors as daraja_doors
from sandbox.daraja.certificate import Key
from sandbox.daraja.contract import Contract
from sandbox.daraja.safaricom import Safaricom
from sandbox.daraja.terms import Terms
from sandbox.environment import variable
from sandbox.flutterwave import api as flutterwave
from sandbox.paystack import api as paystack
from sandbox.product import FLUTTERWAVE_HASH, FLUTTERWAVE_KEY, PAYSTACK_KEY, SERVICE_CODE
from sandbox.rails import webhooks as rails

_WEB = Path(__file__).parent / "web"
_BODY_MAX = 64 * 1024


def create_app(
    web_url: str,
    service_code: str,
    token: str,
    state_file: Path | str | None = None,
    *,
    username: str = "sandbox",
    api_key: str = "sandbox-api-key",
    sender_id: str = "KABAMBE",
    pace: Pace | None = None,
    contract: Contract | None = None,
    key: Key | None = None,
    terms: Terms | None = None,
    rails_pace: rails.Pace | None = None,
) -> Flask:
    """
    Build the country.

    Args:
        web_url: where our web listens, for example `http://127.0.0.1:8000`.
        service_code: what the phones dial, for example `*384#`.
        token: the secret word in our callback addresses.
        state_file: where messages survive a restart; nowhere when None.
        username: the provider's account.
        api_key: its key.
        sender_id: the sender id it owns, besides the provider's own `AFRICASTKNG`.
        pace: how fast things happen.
        contract: what we have agreed upon with Safaricom.
        key: Safaricom's; one that dies with the process when None.
        terms: how Safaricom usually treats us.
        rails_pace: how fast Paystack and Flutterwave are.
    """
    pace = pace or Pace()
    messages = Messages(None if state_file is None else Path(state_file))
    courier = Courier(web_url, token, pace)
    senders = frozenset({sender_id, DEFAULT_SENDER})
    credentials = Credentials(username, api_key, senders)
    api = SmsApi(credentials, messages, Faults(), courier, pace, Account())
    network = Network(
        web_url=web_url, token=token, service_code=service_code, courier=courier, pace=pace
    )
    app = Flask("sandbox", static_folder=None, template_folder=str(_WEB))
    app.config["MAX_CONTENT_LENGTH"] = _BODY_MAX
    app.json.sort_keys = False  # type: ignore[attr-defined]  # a form is shown in its own order
    app.register_blueprint(
        create_blueprint(api=api, network=network, messages=messages, courier=courier, pace=pace)
    )
    safaricom = Safaricom(
        contract or Contract(),
        key=key,
        terms=terms,
        messages=messages,
        in_session=network.is_talking,
    )
    app.register_blueprint(daraja_doors.create_blueprint(safaricom))
    app.extensions["safaricom"] = safaricom
    app.register_blueprint(feed.create_blueprint())
    app.register_blueprint(webhooks.create_blueprint())
    app.extensions["oidc"] = oidc.Issuer()
    app.register_blueprint(oidc.create_blueprint(app.extensions["oidc"]))
    app.extensions["courier"] = courier
    _hang_rails(app, web_url, rails_pace or rails.Pace())
    _hang_page(app, service_code)
    return app


def _hang_rails(app: Flask, web_url: str, pace: rails.Pace) -> None:
    app.register_blueprint(
        paystack.create_blueprint(web_url=web_url, secret_key=PAYSTACK_KEY, pace=pace)
    )
    app.register_blueprint(
        flutterwave.create_blueprint(
            web_url=web_url,
            secret_key=FLUTTERWAVE_KEY,
            secret_hash=FLUTTERWAVE_HASH,
            pace=pace,
        )
    )


def _hang_page(app: Flask, service_code: str) -> None:
    @app.get("/")
    def page() -> str:
        return render_template("index.html", service_code=service_code)

    @app.get("/<any('phone.css', 'phone.js', 'icon.svg'):name>")
    def file(name: str) -> Response:
        return send_from_directory(_WEB, name, max_age=0)

    @app.get("/live")
    def live() -> str:
        return "ok"

    @app.after_request
    def guard(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer


def from_environment() -> Flask:
    """Build the country as the environment describes it."""
    account = "KABAMBE_AFRICASTALKING__"
    home = Path(variable("KABAMBE_HOME") or ".kabambe").expanduser()
    beside = variable("KABAMBE_MPESA__CERTIFICATE")
    return create_app(
        f"http://127.0.0.1:{variable('PORT') or 8000}",
        SERVICE_CODE,
        variable(account + "CALLBACK_TOKEN") or "sandbox",
        home / "africastalking.jsonl",
        username=variable(account + "USERNAME") or "sandbox",
        api_key=variable(account + "API_KEY") or "sandbox-api-key",
        sender_id=variable(account + "SENDER_ID") or "KABAMBE",
        contract=_contract(),
        key=certificate.kept(Path(beside).parent if beside else home),
        terms=Terms(texts=True),
    )


def _contract() -> Contract:
    """What the environment tells of our contract with Safaricom; the rest is the sandbox's."""
    account, usual = "KABAMBE_MPESA__", Contract()
    return Contract(
        shortcode=variable(account + "SHORTCODE") or usual.shortcode,
        payer=variable(account + "PAYOUT_SHORTCODE") or usual.payer,
        passkey=variable(account + "PASSKEY") or usual.passkey,
        key=variable(account + "CONSUMER_KEY") or usual.key,
        secret=variable(account + "CONSUMER_SECRET") or usual.secret,
        initiator=variable(account + "INITIATOR") or usual.initiator,
        password=variable(account + "INITIATOR_PASSWORD") or usual.password,
    )


def __getattr__(name: str) -> Flask:
    """Make `app` when a server asks for it, so that importing this module touches nothing."""
    if name == "app":
        globals()["app"] = made = from_environment()
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
