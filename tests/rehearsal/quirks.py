"""Quirks of a stand-in for Spayon, each with the verdict that a rehearsal must come to."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tests.rehearsal.standin import CLIENT, Fields, Quirk, Says, Sent, sign


@dataclass(frozen=True)
class Row:
    """A *quirk*, the *code* that a rehearsal exits with, and the entries that are *shown* by it.

    *then* is what else is tried in a shop: an order, or that "tokens end"; the entry shown says
    whether that works. *options* are those of the rehearsal.
    """

    name: str
    code: int
    shown: str
    quirk: Quirk
    then: Any = None
    options: dict[str, Any] | None = None


def row(
    name: str, code: int, shown: str = "", then: Any = None, options: Any = None, **quirk: Any
) -> Row:
    """Return a row; *quirk* is what is not as documented."""
    return Row(name, code, shown, Quirk(**quirk), then, options)


# Changes of the fields of a report, or of the body of an answer.


def put(**fields: Any) -> Callable[[Fields], Fields]:
    """Change fields; one that is None is left out."""
    return lambda old: {k: v for k, v in {**old, **fields}.items() if v is not None}


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Fields], Fields]:
    """Change a field into what *change* makes of it."""
    return lambda old: {**old, name: change(old[name])}


def renamed(**names: str) -> Callable[[Fields], Fields]:
    """Give keys other names."""
    return lambda old: {names.get(name, name): value for name, value in old.items()}


def nested(fields: Fields) -> Fields:
    """Wrap the fields, as many APIs do."""
    return {"data": fields}


#: Statuses in upper case; the price in the smallest unit.
spelled = changed("status", str.upper)
hundredfold = changed("price", lambda price: str(int(float(price) * 100)))


# Changes of an answer.


def body(change: Callable[[Fields], Fields] | None = None, **fields: Any) -> Callable[[Says], Says]:
    """Change the body by *change*, or its *fields*."""
    change = change or put(**fields)
    return lambda says: replace(says, body=change(says.body))


def code(number: int, **headers: str) -> Callable[[Says], Says]:
    """Change the code."""
    return lambda says: replace(says, code=number, headers=headers)


def instead(value: Any, number: int = 200, **headers: str) -> Callable[[Says], Says]:
    """Say something else."""
    return lambda _: Says(value, number, headers)


def flaky(every: int) -> Callable[[Says, int], Says]:
    """Answer each so manieth call with an error."""
    return lambda says, number: says if number % every else Says(HTML, 503)


HTML = b"<!doctype html><title>Welcome</title>"


# Reasons to refuse a creation.


def refused(when: Callable[[Fields], bool], code: int = 400) -> Callable[[Fields], int]:
    """Refuse a creation if its fields are so."""
    return lambda fields: code if when(fields) else 0


def lacks(name: str, number: int = 400) -> Callable[[Fields], int]:
    """Refuse a creation without a field."""
    return refused(lambda fields: name not in fields, number)


def language(*codes: str, number: int = 400) -> Callable[[Fields], int]:
    """Refuse languages."""
    return refused(lambda fields: fields.get("language") in codes, number)


def price(bad: Callable[[Any], Any]) -> Callable[[Fields], int]:
    """Refuse prices that are *bad*."""
    return refused(lambda fields: bad(fields.get("price", 1000)))


def currency(bad: Callable[[str], bool]) -> Callable[[Fields], int]:
    """Refuse currencies that are *bad*."""
    return refused(lambda fields: bad(fields.get("currency", "")))


# Changes of a callback.


def signed(make: Callable[[bytes], str], header: str = "X-Signature") -> Callable[[Sent], Sent]:
    """Sign in another way."""
    return lambda sent: replace(sent, headers={header: make(sent.body)} if header else {})


def rewritten(make: Callable[[Any], bytes]) -> Callable[[Sent], Sent]:
    """Send another body, signed rightly."""

    def change(sent: Sent) -> Sent:
        new = make(json.loads(sent.body))
        return replace(sent, body=new, headers={**sent.headers, "X-Signature": sign(new)})

    return change


def sent(**changes: Any) -> Callable[[Sent], Sent]:
    """Send by another method, or so many times."""
    return lambda sent: replace(sent, **changes)


def as_text(sent: Sent) -> Sent:
    """Say that the body is no JSON."""
    return replace(sent, headers={**sent.headers, "Content-Type": "text/plain"})


def base64_of(sent: bytes) -> str:
    """Sign in base64."""
    return base64.b64encode(bytes.fromhex(sign(sent))).decode()


T, C, S, CB = "token-status-code", "creation-accepted", "report-understood", "callback-understood"
FIELDS, USED, PU = "creation-required-fields", "used-order-id", f"{CB} payment-understood"
FORM, HY = f"signature-form {CB}", "language-hy"

ROWS = [
    row("as documented", 0),
    # Tokens.
    row("token: 201", 0, T, token=code(201)),
    row("token: expires_in as text", 0, "token-expires-in", token=body(expires_in="3600")),
    row("token: no expires_in", 0, "token-expires-in", token=body(expires_in=None)),
    row("token: lives 60 s", 0, "token-lifetime", token=body(expires_in=60)),
    row("token: nested", 2, T, token=body(nested)),
    row("token: another key", 2, T, token=body(renamed(access_token="token"))),
    row("token: HTML with 200", 2, T, token=instead(HTML)),
    row("token: a list", 2, T, token=instead([1])),
    row("token: 500", 2, T, token=code(500)),
    row("token: 429", 2, T, token=code(429, **{"Retry-After": "7"})),
    row("token: 403", 2, T, token=code(403)),
    row("token: with a line break", 2, T, token=body(access_token="a\nb")),
    row("token: null", 2, T, token=body(access_token=None)),
    row("wrong secret: 403", 0, "wrong-secret-code", wrong_secret=code(403)),
    row("wrong secret: 404", 1, "wrong-secret-code", wrong_secret=code(404)),
    row("wrong secret: 500", 2, "wrong-secret-code", wrong_secret=code(500)),
    row("wrong token: 403", 1, "wrong-token-code", "tokens end", wrong_token=code(403)),
    row("wrong token: 500", 2, "wrong-token-code", wrong_token=code(500)),
    row("old tokens die", 1, "old-tokens", old_tokens_die=True),
    # Creation.
    row("creation: 201", 0, "creation-status-code", created=code(201)),
    row(
        "creation: camel case",
        0,
        "creation-keys",
        created=body(renamed(session_id="sessionId", session_url="sessionUrl")),
    ),
    row("creation: other keys", 2, C, created=body(renamed(session_id="id", session_url="url"))),
    row("creation: nested", 2, C, created=body(nested)),
    row("creation: HTML with 200", 2, C, created=instead(HTML)),
    row("creation: nothing", 2, C, created=instead(b"", 204)),
    row("creation: a redirect", 2, C, created=instead(b"", 302, Location="/elsewhere")),
    row("creation: 500", 2, C, created=code(500)),
    row("creation: 429", 2, C, created=code(429)),
    row("creation: 403", 2, C, refuses=lambda _: 403),
    row("creation: an unknown field is required", 2, C, refuses=lacks("merchant_id", 422)),
    row("creation: the price as text", 2, C, refuses=price(lambda p: not isinstance(p, str))),
    row("creation: session_url is empty", 1, C, created=body(session_url="")),
    row("creation: session_url is relative", 1, C, created=body(session_url="/pay/1")),
    row("creation: session_url with a space", 1, C, created=body(session_url="http://a/ b")),
    row("creation: session_url of a script", 1, C, created=body(session_url="javascript:1")),
    row("creation: no session_url", 2, C, created=body(session_url=None)),
    row("creation: session_id is a number", 2, C, created=body(session_id=17)),
    row("creation: session_id is empty", 2, C, created=body(session_id="")),
    row("creation: one session for all", 1, USED, one_session=True),
    row("required: email", 0, FIELDS, refuses=lacks("email")),
    row("required: cancel_url", 0, FIELDS, refuses=lacks("cancel_url")),
    row("required: username", 1, FIELDS, refuses=lacks("username")),
    row("required: payment methods", 1, FIELDS, refuses=lacks("availablePaymentMethods", 422)),
    row("currency: upper case only", 1, "lower-case-currency", refuses=currency(str.islower)),
    row("currency: lower case only", 0, "upper-case-currency", refuses=currency(str.isupper)),
    row(
        "currency: usd is not enabled",
        1,
        "currencies",
        {"currency": "USD"},
        {"currencies": ["amd", "usd"]},
        refuses=currency("usd".__eq__),
    ),
    row("price: whole only", 1, "decimal-price", {"price": "10.5"}, refuses=price(lambda p: p % 1)),
    row("price: at least 100", 1, "least-price", {"price": "1"}, refuses=price(lambda p: p < 100)),
    row(
        "price: at most 500000",
        1,
        "greatest-price",
        {"price": "10000000"},
        refuses=price(lambda p: p > 500_000),
    ),
    row("language: am, not hy", 1, HY, refuses=language("hy")),
    row("language: no Armenian", 1, HY, refuses=language("hy", "am")),
    row("language: no ru", 1, "language-ru", refuses=language("ru")),
    row("language: no en", 1, "language-en", refuses=language("en")),
    row("language: hy with 403", 1, HY, {"language": "hy"}, refuses=language("hy", number=403)),
    row(
        "methods: an unknown one is refused",
        0,
        "unknown-payment-method",
        refuses=refused(lambda f: "no-such" in f.get("availablePaymentMethods", ())),
    ),
    row(
        "name: at most 100 letters",
        1,
        "long-product-name",
        refuses=refused(lambda f: len(f.get("product_name", "")) > 100),
    ),
    row("used order: 409", 0, USED, used="refused"),
    row("used order: 403", 1, USED, used="refused", used_code=403),
    row("used order: the same session", 0, USED, used="same"),
    row("used order: ends the first", 0, "two-sessions", second_ends_first=True),
    row(
        "product: no product_id",
        1,
        "product-id",
        options={"product_id": 1},
        refuses=refused(lambda f: "product_id" in f),
    ),
    row("flaky: each seventh call", 2, any=flaky(7)),
    row("HTML in place of each answer", 2, T, any=lambda *_: Says(HTML)),
    # Status answers, and what is in all reports.
    row("status: 201", 2, S, status=code(201)),
    row("status: 404 for a fresh session", 1, S, status=code(404)),
    row("status: 500", 2, S, status=code(500)),
    row("status: HTML with 200", 2, S, status=instead(HTML)),
    row("status: nested", 2, S, status=body(nested)),
    row("status: another session", 1, S, status=body(sessionId="another")),
    row("report: snake case", 2, S, report=renamed(sessionId="session_id")),
    row("report: price times 100", 1, S, report=hundredfold),
    row("report: no price", 1, S, report=put(price=None)),
    row("report: price 1 000", 1, S, report=put(price="1 000")),
    row("report: price with a comma", 1, S, report=put(price="1000,00")),
    row("report: another currency", 1, S, report=put(currency="USD")),
    row("report: currency as number", 1, S, report=put(currency="051")),
    row("report: no currency", 1, S, report=put(currency=None)),
    row("report: another order", 1, S, report=put(orderId="X1")),
    row("report: no order", 1, S, report=put(orderId=None)),
    row("report: price as number", 0, "price-type", report=changed("price", float)),
    row("report: price with zeros", 0, "price-format", report=changed("price", "{}.00".format)),
    row(
        "report: currency in lower case", 0, "currency-case", report=changed("currency", str.lower)
    ),
    row("report: no name", 0, "report-keys", report=put(productName=None)),
    row("report: times in seconds", 0, "time-format", report=put(createdAt=1, updatedAt=2)),
    row("report: status first", 0, "key-order", report=lambda f: {"status": f["status"], **f}),
    row("report: a key more", 0, report=put(fee="10")),
    row("report: PAID", 1, PU, report=spelled),
    row(
        "report: succeeded",
        1,
        PU,
        report=changed("status", lambda s: s.replace("paid", "succeeded")),
    ),
    row("fresh: created", 0, "fresh-status", fresh="created"),
    row("fresh: paid", 1, "fresh-status", fresh="paid"),
    row("unknown session: 400", 1, "unknown-session-code", unknown=code(400)),
    row("malformed session: 400", 0, "malformed-session-code", malformed=code(400)),
    row("malformed session: 500", 0, "malformed-session-code", malformed=code(500)),
    # Callbacks.
    row("callback: another header", 1, f"signature-header {CB}", callback=signed(sign, "X-Spayon")),
    row("callback: sha256=", 1, FORM, callback=signed(lambda b: f"sha256={sign(b)}")),
    row("callback: upper case", 1, FORM, callback=signed(lambda b: sign(b).upper())),
    row("callback: base64", 1, FORM, callback=signed(base64_of)),
    row(
        "callback: by the client secret",
        1,
        FORM,
        callback=signed(lambda b: sign(b, CLIENT["client_secret"])),
    ),
    row("callback: by another secret", 1, FORM, callback=signed(lambda b: sign(b, "other"))),
    row("callback: unsigned", 1, CB, callback=signed(sign, "")),
    row(
        "callback: signed before a line break",
        1,
        CB,
        callback=lambda s: replace(s, body=s.body + b"\n"),
    ),
    row("callback: form-encoded", 1, CB, callback=rewritten(lambda data: urlencode(data).encode())),
    row("callback: snake case", 1, CB, told=renamed(sessionId="session_id", orderId="order_id")),
    row("callback: nested", 1, CB, told=nested),
    row("callback: a list", 1, CB, callback=rewritten(lambda data: json.dumps([data]).encode())),
    row("callback: empty", 1, CB, callback=rewritten(lambda _: b"")),
    row("callback: PAID", 1, CB, told=spelled),
    row("callback: GET", 1, CB, callback=sent(method="GET")),
    row("callback: larger than 64 KiB", 1, CB, told=put(more="x" * 70_000)),
    row("callback: price times 100", 1, CB, told=hundredfold),
    row("callback: another order", 1, CB, told=put(orderId="X1")),
    row("callback: another session", 1, CB, told=put(sessionId="another")),
    row("callback: pending", 1, CB, told=put(status="pending")),
    row("callback: never", 1, CB, callback=sent(times=0)),
    row("callback: three times", 0, callback=sent(times=3)),
    row(
        "callback: a byte order mark",
        0,
        callback=rewritten(lambda data: b"\xef\xbb\xbf" + json.dumps(data).encode()),
    ),
    row("callback: text/plain", 0, "content-type", callback=as_text),
    row("callback: a key more", 0, "callback-equals-status", told=put(fee=1)),
    # The payer's way.
    row("return: sessionId", 1, "return-parameter", returns=renamed(session_id="sessionId")),
    row("return: nothing is added", 1, "return-parameter", returns=lambda _: {}),
    row("return: another session", 1, "return-parameter", returns=put(session_id="another")),
    row("return: by POST", 0, return_method="POST"),
    row(
        "cancel: session_id is added",
        0,
        "cancel-url-carries-session-id",
        cancel_parameter="session_id",
    ),
    row("cancel: ends the session", 0, "cancel-keeps-session", back="failed"),
    row("decline: ends the session", 0, "session-fails", fails="at the first decline"),
    row("decline: no reasons", 0, "decline-reasons", told=put(declineReasons=None)),
    row(
        "decline: declined",
        1,
        "failure-understood",
        told=changed("status", lambda s: s.replace("failed", "declined")),
    ),
]
