"""Logs: one line an event with ids in `extra`, every one documented, nothing secret in them."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import spayon_flask
from spayon_flask import GatewayError
from spayon_flask import signing
from spayon_flask.simulator import Simulator
from tests.neighbours.shop import Gateway
from tests.neighbours.shop import make_app
from tests.neighbours.shop import make_parts


PACKAGE = Path(spayon_flask.__file__).parent
TABLE = PACKAGE.parent / "docs" / "logging.md"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

Line = tuple[str, str, str, str]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of the package with its tree; the simulator keeps its own house."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts

        if parts[1] != "simulator":
            name = ".".join(part for part in parts if part != "__init__")
            yield name, ast.parse(path.read_text())


def log_calls(tree: ast.AST) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Yield each call of a logger with the function or module that it stands in."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.Module):
            for node in ast.walk(scope):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "logger"
                    and node.func.attr in LEVELS
                ):
                    yield node, scope


def ids_of(call: ast.Call, scope: ast.AST) -> str:
    """Return the names of the ids that a call logs."""
    extra = next((each.value for each in call.keywords if each.arg == "extra"), None)

    if isinstance(extra, ast.Name):
        name = extra.id
        extra = next(
            node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == name
        )

    keys = extra.keys if isinstance(extra, ast.Dict) else []
    return ", ".join(f"`{key.value!s}`" for key in keys if isinstance(key, ast.Constant))


def written() -> set[Line]:
    """Return every line that the package can log: logger, level, message, ids."""
    lines: dict[tuple[str, int], Line] = {}

    for name, tree in modules():
        for call, scope in log_calls(tree):
            assert isinstance(call.func, ast.Attribute)
            message = call.args[0]
            assert isinstance(message, ast.Constant), f"{name}: a message must be a literal"
            level = call.func.attr.replace("exception", "error")
            text = re.sub(r"(%\w)+", "…", str(message.value))

            if (name, call.lineno) not in lines or isinstance(scope, ast.FunctionDef):
                try:
                    lines[name, call.lineno] = (f"`{name}`", level, text, ids_of(call, scope))

                except StopIteration:
                    continue

    return set(lines.values())


def documented() -> set[Line]:
    """Return the rows of the table of messages."""
    rows = re.findall(r"^\| (`spayon_flask\S*`) \| (.*) \|$", TABLE.read_text(), re.MULTILINE)
    return {(name, *map(str.strip, rest.split("|"))) for name, rest in rows}


def test_the_table_in_the_documentation_lists_every_message() -> None:
    assert sorted(documented()) == sorted(written())


def test_every_logger_hangs_under_the_package_s_own() -> None:
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger":
                assert ast.unparse(node.args[0]) == "__name__", name


def test_nothing_is_printed() -> None:
    for name, tree in modules():
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert "print" not in [ast.unparse(call.func) for call in calls], name


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
