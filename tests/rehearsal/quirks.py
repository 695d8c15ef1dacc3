"""Quirks of a stand-in for Spayon, each with the verdict that a rehearsal must come to."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tests.rehearsal.standin import CLIENT, Fields, Quirk, Says, Sent, sign


@dataclass(frozen=True)
class Row:
    """A *quirk*, the *code* that a rehearsal exits with, and the entries that are *shown* by it.

    *then* names what else is tried in a shop; the entry *line* foretells whether that works.
    *options* are those of the rehearsal.
    """

    name: str
    code: int
    shown: str
    quirk: Quirk
    then: str = ""
    line: str = ""
    options: dict[str, Any] | None = None


def put(**fields: Any) -> Callable[[Fields], Fields]:
    """Change fields; one that is None is left out."""
    return lambda old: {k: v for k, v in {**old, **fields}.items() if v is not None}


def body(**fields: Any) -> Callable[[Says], Says]:
    """Change fields of an answer."""
    return lambda says: replace(says, body=put(**fields)(says.body))


def code(number: int, **headers: str) -> Callable[[Says], Says]:
    """Change the code of an answer."""
    return lambda says: replace(says, code=number, headers=headers)


def instead(value: Any, number: int = 200, **headers: str) -> Callable[[Says], Says]:
    """Say something else."""
    return lambda _: Says(value, number, headers)


def nested(says: Says) -> Says:
    """Wrap an answer, as many APIs do."""
    return replace(says, body={"data": says.body})


def renamed(**names: str) -> Callable[[Fields], Fields]:
    """Give keys other names."""
    return lambda old: {names.get(name, name): value for name, value in old.items()}


def refuses(code: int, when: Callable[[Fields], bool]) -> Callable[[Fields], int]:
    """Refuse a creation if its fields are so."""
    return lambda fields: code if when(fields) else 0


def lacks(name: str, number: int = 400) -> Callable[[Fields], int]:
    """Refuse a creation without a field."""
    return refuses(number, lambda fields: name not in fields)


def language(*codes: str, number: int = 400) -> Callable[[Fields], int]:
    """Refuse languages."""
    return refuses(number, lambda fields: fields.get("language") in codes)


def signature(make: Callable[[bytes], str], header: str = "X-Signature") -> Callable[[Sent], Sent]:
    """Sign in another way."""
    return lambda sent: replace(sent, headers={header: make(sent.body)} if header else {})


def rewritten(make: Callable[[Any], bytes]) -> Callable[[Sent], Sent]:
    """Send another body, signed rightly."""

    def change(sent: Sent) -> Sent:
        new = make(json.loads(sent.body))
        return replace(sent, body=new, headers={**sent.headers, "X-Signature": sign(new)})

    return change


def base64_of(sent: bytes) -> str:
    """Sign in base64."""
    return base64.b64encode(bytes.fromhex(sign(sent))).decode()


HTML = b"<!doctype html><title>Welcome</title>"


def spelled(fields: Fields) -> Fields:
    """Write statuses in upper case."""
    return {**fields, "status": str(fields["status"]).upper()}


def hundredfold(fields: Fields) -> Fields:
    """Give the price in the smallest unit."""
    return {**fields, "price": str(int(float(fields["price"]) * 100))}


def flaky(every: int) -> Callable[[Says, int], Says]:
    """Answer each so manieth call with an error."""
    return lambda says, number: says if number % every else Says(HTML, 503)


C, S, CB = "creation-accepted", "report-understood", "callback-understood"
PU = "payment-understood"

ROWS = [
    Row("as documented", 0, "", Quirk()),
    # Tokens.
    Row("token: 201", 0, "token-status-code", Quirk(token=code(201))),
    Row("token: expires_in as text", 0, "token-expires-in", Quirk(token=body(expires_in="3600"))),
    Row("token: no expires_in", 0, "token-expires-in", Quirk(token=body(expires_in=None))),
    Row("token: lives 60 s", 0, "token-lifetime", Quirk(token=body(expires_in=60))),
    Row("token: nested", 2, "token-status-code", Quirk(token=nested)),
    Row(
        "token: another key",
        2,
        "token-status-code",
        Quirk(token=lambda says: replace(says, body={"token": says.body["access_token"]})),
    ),
    Row("token: HTML with 200", 2, "token-status-code", Quirk(token=instead(HTML))),
    Row("token: a list", 2, "token-status-code", Quirk(token=instead([1]))),
    Row("token: 500", 2, "token-status-code", Quirk(token=code(500))),
    Row("token: 429", 2, "token-status-code", Quirk(token=code(429, **{"Retry-After": "7"}))),
    Row("token: 403", 2, "token-status-code", Quirk(token=code(403))),
    Row("token: with a line break", 2, "token-status-code", Quirk(token=body(access_token="a\nb"))),
    Row("token: null", 2, "token-status-code", Quirk(token=body(access_token=None))),
    Row("wrong secret: 403", 0, "wrong-secret-code", Quirk(wrong_secret=code(403))),
    Row("wrong secret: 404", 1, "wrong-secret-code", Quirk(wrong_secret=code(404))),
    Row("wrong secret: 500", 2, "wrong-secret-code", Quirk(wrong_secret=code(500))),
    Row(
        "wrong token: 403",
        1,
        "wrong-token-code",
        Quirk(wrong_token=code(403)),
        then="tokens end",
        line="wrong-token-code",
    ),
    Row("wrong token: 500", 2, "wrong-token-code", Quirk(wrong_token=code(500))),
    Row("old tokens die", 1, "old-tokens", Quirk(old_tokens_die=True)),
    # Creation.
    Row("creation: 201", 0, "creation-status-code", Quirk(created=code(201))),
    Row(
        "creation: camel case",
        0,
        "creation-keys",
        Quirk(
            created=lambda says: replace(
                says, body=renamed(session_id="sessionId", session_url="sessionUrl")(says.body)
            )
        ),
    ),
    Row(
        "creation: other keys",
        2,
        C,
        Quirk(
            created=lambda says: replace(
                says, body=renamed(session_id="id", session_url="url")(says.body)
            )
        ),
    ),
    Row("creation: nested", 2, C, Quirk(created=nested)),
    Row("creation: HTML with 200", 2, C, Quirk(created=instead(HTML))),
    Row("creation: nothing", 2, C, Quirk(created=instead(b"", 204))),
    Row("creation: a redirect", 2, C, Quirk(created=instead(b"", 302, Location="/elsewhere"))),
    Row("creation: 500", 2, C, Quirk(created=code(500))),
    Row("creation: 429", 2, C, Quirk(created=code(429))),
    Row("creation: 403", 2, C, Quirk(refuses=lambda _: 403)),
    Row("creation: an unknown field is required", 2, C, Quirk(refuses=lacks("merchant_id", 422))),
    Row(
        "creation: the price as text",
        2,
        C,
        Quirk(refuses=refuses(400, lambda fields: not isinstance(fields.get("price"), str))),
    ),
    Row("creation: session_url is empty", 1, C, Quirk(created=body(session_url=""))),
    Row("creation: session_url is relative", 1, C, Quirk(created=body(session_url="/pay/1"))),
    Row("creation: session_url with a space", 1, C, Quirk(created=body(session_url="http://a/ b"))),
    Row("creation: session_url of a script", 1, C, Quirk(created=body(session_url="javascript:1"))),
    Row("creation: no session_url", 2, C, Quirk(created=body(session_url=None))),
    Row("creation: session_id is a number", 2, C, Quirk(created=body(session_id=17))),
    Row("creation: session_id is empty", 2, C, Quirk(created=body(session_id=""))),
    Row("creation: one session for all", 1, "used-order-id", Quirk(one_session=True)),
    Row("required: email", 0, "creation-required-fields", Quirk(refuses=lacks("email"))),
    Row("required: cancel_url", 0, "creation-required-fields", Quirk(refuses=lacks("cancel_url"))),
    Row("required: username", 1, "creation-required-fields", Quirk(refuses=lacks("username"))),
    Row(
        "required: payment methods",
        1,
        "creation-required-fields",
        Quirk(refuses=lacks("availablePaymentMethods", 422)),
    ),
    Row(
        "currency: upper case only",
        1,
        "lower-case-currency",
        Quirk(refuses=refuses(400, lambda fields: str(fields.get("currency")).islower())),
    ),
    Row(
        "currency: lower case only",
        0,
        "upper-case-currency",
        Quirk(refuses=refuses(400, lambda fields: str(fields.get("currency")).isupper())),
    ),
    Row(
        "currency: usd is not enabled",
        1,
        "currencies",
        Quirk(refuses=refuses(400, lambda fields: fields.get("currency") == "usd")),
        then="in usd",
        line="currencies",
        options={"currencies": ["amd", "usd"]},
    ),
    Row(
        "price: whole only",
        1,
        "decimal-price",
        Quirk(refuses=refuses(400, lambda fields: fields.get("price", 1) % 1 != 0)),
        then="for 10.5",
        line="decimal-price",
    ),
    Row(
        "price: at least 100",
        1,
        "least-price",
        Quirk(refuses=refuses(400, lambda fields: fields.get("price", 100) < 100)),
        then="for 1",
        line="least-price",
    ),
    Row(
        "price: at most 500000",
        1,
        "greatest-price",
        Quirk(refuses=refuses(400, lambda fields: fields.get("price", 0) > 500_000)),
        then="for 10000000",
        line="greatest-price",
    ),
    Row("language: am, not hy", 1, "language-hy", Quirk(refuses=language("hy"))),
    Row("language: no Armenian", 1, "language-hy", Quirk(refuses=language("hy", "am"))),
    Row("language: no ru", 1, "language-ru", Quirk(refuses=language("ru"))),
    Row("language: no en", 1, "language-en", Quirk(refuses=language("en"))),
    Row(
        "language: hy with 403",
        1,
        "language-hy",
        Quirk(refuses=language("hy", number=403)),
        then="in hy",
        line="language-hy",
    ),
    Row(
        "methods: an unknown one is refused",
        0,
        "unknown-payment-method",
        Quirk(refuses=refuses(400, lambda f: "no-such" in f.get("availablePaymentMethods", ()))),
    ),
    Row(
        "name: at most 100 letters",
        1,
        "long-product-name",
        Quirk(refuses=refuses(400, lambda fields: len(fields.get("product_name", "")) > 100)),
    ),
    Row(
        "used order: 409",
        0,
        "used-order-id",
        Quirk(used="refused"),
        then="again",
        line="used-order-id",
    ),
    Row(
        "used order: 403",
        1,
        "used-order-id",
        Quirk(used="refused", used_code=403),
        then="again",
        line="used-order-id",
    ),
    Row(
        "used order: the same session",
        0,
        "used-order-id",
        Quirk(used="same"),
        then="again",
        line="used-order-id",
    ),
    Row("used order: ends the first", 0, "two-sessions", Quirk(second_ends_first=True)),
    Row(
        "product: no product_id",
        1,
        "product-id",
        Quirk(refuses=refuses(400, lambda f: "product_id" in f)),
        options={"product_id": 1},
    ),
    Row("flaky: each seventh call", 2, "", Quirk(any=flaky(7))),
    Row("flaky: each third call", 2, "", Quirk(any=flaky(3))),
    Row("HTML in place of each answer", 2, "token-status-code", Quirk(any=lambda *_: Says(HTML))),
    # Status answers, and what is in all reports.
    Row("status: 201", 2, S, Quirk(status=code(201))),
    Row("status: 404 for a fresh session", 1, S, Quirk(status=code(404))),
    Row("status: 500", 2, S, Quirk(status=code(500))),
    Row("status: HTML with 200", 2, S, Quirk(status=instead(HTML))),
    Row("status: nested", 2, S, Quirk(status=nested)),
    Row("status: another session", 1, S, Quirk(status=body(sessionId="another"))),
    Row("report: snake case", 2, S, Quirk(report=renamed(sessionId="session_id"))),
    Row("report: price times 100", 1, S, Quirk(report=hundredfold)),
    Row("report: no price", 1, S, Quirk(report=put(price=None))),
    Row("report: price 1 000", 1, S, Quirk(report=put(price="1 000"))),
    Row("report: price with a comma", 1, S, Quirk(report=put(price="1000,00"))),
    Row("report: another currency", 1, S, Quirk(report=put(currency="USD"))),
    Row("report: currency as number", 1, S, Quirk(report=put(currency="051"))),
    Row("report: no currency", 1, S, Quirk(report=put(currency=None))),
    Row("report: another order", 1, S, Quirk(report=put(orderId="X1"))),
    Row("report: no order", 1, S, Quirk(report=put(orderId=None))),
    Row(
        "report: price as number",
        0,
        "price-type",
        Quirk(report=lambda f: put(price=float(f["price"]))(f)),
    ),
    Row(
        "report: price with zeros",
        0,
        "price-format",
        Quirk(report=lambda f: put(price=f["price"] + ".00")(f)),
    ),
    Row(
        "report: currency in lower case",
        0,
        "currency-case",
        Quirk(report=lambda f: put(currency=f["currency"].lower())(f)),
    ),
    Row("report: no name", 0, "report-keys", Quirk(report=put(productName=None))),
    Row("report: times in seconds", 0, "time-format", Quirk(report=put(createdAt=1, updatedAt=2))),
    Row(
        "report: status first", 0, "key-order", Quirk(report=lambda f: {"status": f["status"], **f})
    ),
    Row("report: a key more", 0, "", Quirk(report=put(fee="10"))),
    Row("report: PAID", 1, f"{CB} {PU}", Quirk(report=spelled)),
    Row(
        "report: succeeded",
        1,
        f"{CB} {PU}",
        Quirk(report=lambda f: put(status=str(f["status"]).replace("paid", "succeeded"))(f)),
    ),
    Row("fresh: created", 0, "fresh-status", Quirk(fresh="created")),
    Row("fresh: paid", 1, "fresh-status", Quirk(fresh="paid")),
    Row("unknown session: 400", 1, "unknown-session-code", Quirk(unknown=code(400))),
    Row("malformed session: 400", 0, "malformed-session-code", Quirk(malformed=code(400))),
    Row("malformed session: 500", 0, "malformed-session-code", Quirk(malformed=code(500))),
    # Callbacks.
    Row(
        "callback: another header",
        1,
        f"signature-header {CB}",
        Quirk(callback=signature(sign, "X-Spayon-Signature")),
    ),
    Row(
        "callback: sha256=",
        1,
        f"signature-form {CB}",
        Quirk(callback=signature(lambda b: f"sha256={sign(b)}")),
    ),
    Row(
        "callback: upper case",
        1,
        f"signature-form {CB}",
        Quirk(callback=signature(lambda b: sign(b).upper())),
    ),
    Row("callback: base64", 1, f"signature-form {CB}", Quirk(callback=signature(base64_of))),
    Row(
        "callback: by the client secret",
        1,
        f"signature-form {CB}",
        Quirk(callback=signature(lambda b: sign(b, CLIENT["client_secret"]))),
    ),
    Row(
        "callback: by another secret",
        1,
        f"signature-form {CB}",
        Quirk(callback=signature(lambda b: sign(b, "other"))),
    ),
    Row(
        "callback: SHA-512",
        1,
        f"signature-form {CB}",
        Quirk(callback=signature(lambda b: hmac.new(b"x", b, hashlib.sha512).hexdigest())),
    ),
    Row("callback: unsigned", 1, CB, Quirk(callback=signature(sign, ""))),
    Row(
        "callback: signed before a line break",
        1,
        CB,
        Quirk(callback=lambda s: replace(s, body=s.body + b"\n")),
    ),
    Row(
        "callback: form-encoded",
        1,
        CB,
        Quirk(callback=rewritten(lambda data: urlencode(data).encode())),
    ),
    Row(
        "callback: snake case",
        1,
        CB,
        Quirk(told=renamed(sessionId="session_id", orderId="order_id")),
    ),
    Row("callback: nested", 1, CB, Quirk(told=lambda f: {"data": f})),
    Row(
        "callback: a list",
        1,
        CB,
        Quirk(callback=rewritten(lambda data: json.dumps([data]).encode())),
    ),
    Row("callback: empty", 1, CB, Quirk(callback=rewritten(lambda _: b""))),
    Row("callback: PAID", 1, CB, Quirk(told=spelled)),
    Row("callback: GET", 1, CB, Quirk(callback=lambda s: replace(s, method="GET"))),
    Row("callback: PUT", 1, CB, Quirk(callback=lambda s: replace(s, method="PUT"))),
    Row("callback: larger than 64 KiB", 1, CB, Quirk(told=put(more="x" * 70_000))),
    Row("callback: price times 100", 1, CB, Quirk(told=hundredfold)),
    Row("callback: another order", 1, CB, Quirk(told=put(orderId="X1"))),
    Row("callback: another session", 1, CB, Quirk(told=put(sessionId="another"))),
    Row("callback: pending", 1, CB, Quirk(told=put(status="pending"))),
    Row("callback: never", 1, CB, Quirk(callback=lambda s: replace(s, times=0))),
    Row("callback: three times", 0, "", Quirk(callback=lambda s: replace(s, times=3))),
    Row(
        "callback: a byte order mark",
        0,
        "",
        Quirk(callback=rewritten(lambda data: b"\xef\xbb\xbf" + json.dumps(data).encode())),
    ),
    Row(
        "callback: text/plain",
        0,
        "content-type",
        Quirk(callback=lambda s: replace(s, headers={**s.headers, "Content-Type": "text/plain"})),
    ),
    Row("callback: a key more", 0, "callback-equals-status", Quirk(told=put(fee=1))),
    # The payer's way.
    Row("return: sessionId", 1, "return-parameter", Quirk(returns=renamed(session_id="sessionId"))),
    Row("return: nothing is added", 1, "return-parameter", Quirk(returns=lambda _: {})),
    Row("return: another session", 1, "return-parameter", Quirk(returns=put(session_id="another"))),
    Row("return: by POST", 0, "", Quirk(return_method="POST")),
    Row(
        "cancel: session_id is added",
        0,
        "cancel-url-carries-session-id",
        Quirk(cancel_parameter="session_id"),
    ),
    Row("cancel: ends the session", 0, "cancel-keeps-session", Quirk(back="failed")),
    Row("decline: ends the session", 0, "session-fails", Quirk(fails="at the first decline")),
    Row("decline: no reasons", 0, "decline-reasons", Quirk(told=put(declineReasons=None))),
    Row(
        "decline: declined",
        1,
        "failure-understood",
        Quirk(told=lambda f: put(status=str(f["status"]).replace("failed", "declined"))(f)),
    ),
]
