"""Logs: one line an event, with ids in `extra`, and nothing secret in them."""

import logging
from collections.abc import Iterator

import pytest

from spayon_flask import GatewayError
from spayon_flask.domain import signing
from spayon_flask.simulator import Simulator
from tests.neighbours.shop import Gateway, make_app, make_parts

SECRETS = {
    "client secret": "client-secret-0f1e",
    "callback secret": "callback-secret-2d3c",
    "the order's email": "ani@example.com",
    "the order's name": "Ani",
    "what the payer typed": "typed-by-the-payer@example.com",
}


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Run a simulator with secrets that stand nowhere else."""
    with Gateway(
        client_secret=SECRETS["client secret"], callback_secret=SECRETS["callback secret"]
    ) as running:
        yield running


def purchase(gateway: Gateway) -> None:
    """Buy, with everything going wrong on the way that may."""
    parts = make_parts()
    app = make_app(
        parts,
        SPAYON_CLIENT_SECRET=SECRETS["client secret"],
        SPAYON_CALLBACK_SECRET=[SECRETS["callback secret"], "older-callback-secret"],
        SPAYON_STATUS_INTERVAL=0.001,
        **gateway.config(),
    )
    gateway.shop = app
    client = app.test_client()
    form = {"email": SECRETS["what the payer typed"], "full_name": "Ani"}
    failing = [True]

    @parts.spayon.on_paid
    def fail_once(payment: object) -> None:
        if failing:
            failing.clear()
            raise RuntimeError("out of tea")

    for kind, options in (
        ("error", {"on": "tokens", "code": 503}),
        ("error", {"on": "sessions", "code": 500}),
        ("html", {"on": "sessions"}),
        ("truncated", {"on": "sessions"}),
        ("drop_after", {"on": "sessions", "times": None}),
    ):
        gateway.fault(kind, **options)
        assert client.post("/pay/checkout/A1", data=form).status_code in (502, 503)
        gateway.faults.clear()

    gateway.tokens.revoke_all()
    session = gateway.session_at(client.post("/pay/checkout/A1", data=form))
    gateway.deliver(session.id, status="paid", damaged=True)
    gateway.deliver(session.id, status="paid", signed=False)
    gateway.fault("error", on="status", code=503)
    client.get(f"/pay/return?session_id={session.id}")
    gateway.faults.clear()
    gateway.pay(session.id)
    gateway.deliver(session.id)
    client.get(f"/pay/return?session_id={session.id}")
    body = b'{"sessionId": 1, "full_name": "Ani"}'
    headers = {"X-Signature": signing.sign(body, SECRETS["callback secret"])}
    assert client.post("/pay/callback", data=body, headers=headers).status_code == 400
    client.get("/pay/checkout/missing?email=ani@example.com")

    with app.app_context():
        parts.spayon.reconcile()

    assert set(parts.paid) == {"A1"}


def as_written(record: logging.LogRecord) -> str:
    """Return all that any formatter could make of *record*."""
    return f"{logging.Formatter().format(record)} {vars(record)!r}"


def test_no_secret_and_nothing_personal_reaches_a_log_in_a_whole_purchase(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    purchase(gateway)

    lines = [as_written(record) for record in caplog.records]
    assert {record.name.partition(".")[0] for record in caplog.records} >= {
        "spayon_flask",
        "urllib3",
    }
    forbidden = SECRETS | {
        f"signature {n}": str(each.signature) for n, each in enumerate(gateway.deliveries)
    }
    forbidden |= {"a token": "Bearer"}

    for what, value in forbidden.items():
        assert [line for line in lines if value and value in line] == [], what


def test_no_token_reaches_a_log(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    parts = make_parts()
    app = make_app(parts, SPAYON_CLIENT_SECRET=SECRETS["client secret"], **gateway.config())

    with app.app_context():
        token = parts.spayon.tokens.get()
        gateway.tokens.revoke_all()

        with pytest.raises(GatewayError):
            parts.spayon.client.get_session("no-such-session")

        other = parts.spayon.tokens.get()

    for record in caplog.records:
        assert token not in as_written(record)
        assert other not in as_written(record)


def test_a_refused_secret_reaches_no_log(
    gateway: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    app = make_app(make_parts(), SPAYON_CLIENT_SECRET="mistyped-secret", SPAYON_API_URL=gateway.url)

    assert app.test_client().post("/pay/checkout/A1").status_code == 503

    assert [record.levelname for record in caplog.records if "checkout" in record.msg] == ["ERROR"]
    assert not any("mistyped-secret" in as_written(record) for record in caplog.records)
