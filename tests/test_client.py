"""Client: the gateway's API over real HTTP, and everything that can go wrong there."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from traceback import TracebackException
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

from spayon_flask import (
    AuthenticationError,
    ConfigError,
    GatewayError,
    GatewayUnavailableError,
    Order,
    RequestRefusedError,
    SessionNotFoundError,
    Settings,
    UnexpectedAnswerError,
)
from spayon_flask.client import Client, PaymentSession
from spayon_flask.client.connections import probe
from spayon_flask.client.transport import Answer, Transport
from spayon_flask.signals import gateway_called
from spayon_flask.simulator import Simulator
from tests.gateway import Gateway, Says, token
from tests.listening import listening
from tests.shop import CONFIG

LINKS = {
    "callback_url": "http://shop.test/pay/callback",
    "return_url": "http://shop.test/pay/return",
    "cancel_url": "http://shop.test/pay/cancel/x",
}

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")


PRODUCTION: dict[str, Any] = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://shop.example",
    "CLIENT_SECRET": "real",
    "CALLBACK_SECRET": "real too",
}


def make_client(api_url: str, **config: Any) -> Client:
    keys = {f"SPAYON_{key}": value for key, value in config.items()}
    return Client(Settings.from_config({**CONFIG, "SPAYON_API_URL": api_url, **keys}))


@pytest.fixture
def client(sim: Simulator) -> Client:
    return make_client(sim.url, TIMEOUT=[1, 0.5])


def create(client: Client, order: Order = ORDER) -> PaymentSession:
    return client.create_session(order, **LINKS)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bodies of all requests that are sent, as they go out."""
    bodies: list[str] = []
    sending = HTTPAdapter.send

    def listen(adapter: HTTPAdapter, request: Any, **options: Any) -> Any:
        bodies.append((request.body or b"").decode())
        return sending(adapter, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", listen)
    return bodies


TOKEN = b'{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600}'


class Note:
    """Stand in for the network: keep each request, give out a token, answer all else alike."""

    def __init__(
        self, body: bytes = b"{}", status: int = 200, headers: Any = (), token: bytes = TOKEN
    ) -> None:
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self._said = {True: (200, {}, token), False: (status, dict(headers), body)}

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((method, url, dict(headers), body))
        return self._said[url.endswith("/api/tokens")]


def answering(
    body: bytes, status: int = 200, *, headers: Any = (), token: bytes = TOKEN, **config: Any
) -> Client:
    """Return a client whose gateway gives that answer to all but the request for a token."""
    client = make_client("http://127.0.0.1:9", **config)
    client.answer_with(Note(body, status, headers, token))
    return client


def noted(base_url: str) -> tuple[Transport, Note]:
    """Return a transport to *base_url*, and what notes its requests."""
    transport = Transport(base_url, (1, 1), "spayon")
    transport.answer_with(note := Note())
    return transport, note


SAYS = {
    "/api/tokens": TOKEN,
    "/api/product/session": b'{"session_id": "S1", "session_url": "http://127.0.0.1/S1"}',
    "/api/product/session/S1": b'{"sessionId": "S1", "status": "pending"}',
}


@contextmanager
def hanging_up(*, answers: int = 1, told: bool = True) -> Iterator[tuple[str, list[str]]]:
    """Yield the URL of a gateway, and the paths of the requests to which it said nothing.

    Of each connection it answers so many requests. When the next one has come, it closes the
    connection, as a router does that has forgotten it: the close is *told*, or else it is a reset.
    """
    cut: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        left = answers

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))

            if self.left == 0:
                cut.append(self.path)
                self.close_connection = True

                if not told:
                    # To close a socket with this option sends a reset.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    os.close(self.connection.detach())

                return

            self.left -= 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(SAYS[self.path])))
            self.end_headers()
            self.wfile.write(SAYS[self.path])

        do_POST = do_GET  # noqa: N815  the name that http.server calls

        def log_message(self, *_: Any) -> None: ...

    with listening(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url, cut


class TestCreatingASession:
    def test_a_custom_product_arrives_as_documented(self, client: Client, wire: list[str]) -> None:
        session = create(
            client,
            Order(
                order_id="A1",
                product_name="Tea",
                price=Decimal("1000.00"),
                currency="AMD",
                email="user@example.com",
                username="john_doe",
                full_name="John Doe",
                language="en",
                available_payment_methods=["visamaster", "mir"],
                default_payment_method="visamaster",
            ),
        )

        assert session.session_id in session.session_url
        assert json.loads(wire[-1]) == LINKS | {
            "product_name": "Tea",
            "price": 1000,
            "currency": "amd",
            "email": "user@example.com",
            "username": "john_doe",
            "full_name": "John Doe",
            "order_id": "A1",
            "defaultPaymentMethod": "visamaster",
            "availablePaymentMethods": ["visamaster", "mir"],
            "language": "en",
        }

    def test_a_product_of_the_admin_panel_is_named_by_its_id_alone(
        self, client: Client, wire: list[str]
    ) -> None:
        create(client, Order(order_id="A1", product_id=1))

        assert json.loads(wire[-1]) == LINKS | {"product_id": 1, "order_id": "A1"}

    def test_settings_fill_in_what_the_order_leaves_open(
        self, sim: Simulator, wire: list[str]
    ) -> None:
        client = make_client(
            sim.url,
            LANGUAGE="hy",
            LANGUAGE_CODES={"hy": "am"},
            AVAILABLE_PAYMENT_METHODS="mir,visamaster",
            DEFAULT_PAYMENT_METHOD="mir",
        )
        create(client)

        sent = json.loads(wire[-1])
        assert sent["language"] == "am"
        assert sent["availablePaymentMethods"] == ["mir", "visamaster"]
        assert sent["defaultPaymentMethod"] == "mir"

    @pytest.mark.parametrize("code", [200, 201])
    @pytest.mark.parametrize("keys", ["snake", "camel"])
    def test_both_forms_of_the_answer_are_read(
        self, sim: Simulator, client: Client, code: int, keys: str
    ) -> None:
        sim.shape.change(creation_code=code, creation_keys=keys)

        assert create(client).session_id == next(iter(sim.sessions)).id

    @pytest.mark.parametrize(
        "answer",
        [
            b"<html>Welcome</html>",
            b"[]",
            b"{}",
            b"\xff",
            b'{"session_id": "S"}',
            b'{"session_id": "", "session_url": "http://127.0.0.1/S"}',
            b'{"session_id": 17, "session_url": "http://127.0.0.1/S"}',
            b'{"session_id": "S\\u0000", "session_url": "http://127.0.0.1/S"}',
            b'{"session_id": "S", "session_url": "javascript:alert(1)"}',
            b'{"session_id": "S", "session_url": "//evil.example/S"}',
            b'{"session_id": "S", "session_url": "http:///S"}',
            b'{"session_id": "S", "session_url": "http://[/S"}',
            b'{"session_id": "S", "session_url": "http://pay.example:99999/S"}',
            b'{"session_id": "S", "session_url": "http://127.0.0.1/S\\r\\nX: y"}',
            b'{"session_id": "S", "session_url": "http://user@evil.example/"}',
            b'{"session_id": "S", "session_url": ["http://127.0.0.1/S"]}',
            b"[" * 100_000,
            b"x" * (2 * 1024 * 1024),
        ],
        ids=lambda answer: repr(answer[:50]),
    )
    def test_a_senseless_answer_is_an_error_of_ours(self, answer: bytes) -> None:
        with pytest.raises(UnexpectedAnswerError):
            create(answering(answer))

    def test_in_production_the_payer_is_sent_to_https_only(self) -> None:
        body = b'{"session_id": "S", "session_url": "http://pay.example/S"}'
        client = answering(body, **PRODUCTION)

        with pytest.raises(UnexpectedAnswerError, match="session_url"):
            create(client)

    def test_a_refusal_says_what_to_check(self) -> None:
        with pytest.raises(RequestRefusedError, match=r"HTTP 422.*order's fields") as caught:
            create(answering(b"{}", 422))

        assert caught.value.status_code == 422

    def test_a_language_that_spayon_refuses_does_not_stop_a_checkout(
        self, sim: Simulator, client: Client, wire: list[str]
    ) -> None:
        sim.shape.change(refused=["language-hy"])
        create(client, dataclasses.replace(ORDER, language="hy"))

        first, second = (json.loads(body) for body in wire[-2:])
        assert first == {**second, "language": "hy"}
        assert sim.sessions.created == 1

    def test_an_order_id_that_spayon_refuses_is_replaced(
        self, sim: Simulator, client: Client, wire: list[str]
    ) -> None:
        sim.shape.change(used_order="refused", refused=["language-hy"])
        create(client)
        order = dataclasses.replace(ORDER, language="hy")
        client.create_session(order, **LINKS, attempt_id="A1_1")

        one, two, three = (json.loads(body) for body in wire[-3:])
        assert one == {**two, "order_id": "A1"}
        assert two == {**three, "language": "hy"}
        assert [each.order_id for each in sim.sessions] == ["A1", "A1_1"]

    @pytest.mark.parametrize("code", [400, 409, 422])
    def test_a_refusal_with_an_id_of_the_attempt_is_final(self, client: Client, code: int) -> None:
        client.answer_with(note := Note(status=code))

        with pytest.raises(RequestRefusedError):
            client.create_session(ORDER, **LINKS, attempt_id="A1_1")

        sent = [json.loads(body)["order_id"] for *_, body in note.requests if b"order_id" in body]
        assert sent == ["A1", "A1_1"]

    @pytest.mark.parametrize("attempt_id", [None, "A1"])
    def test_the_same_order_id_is_not_sent_again(
        self, sim: Simulator, client: Client, attempt_id: str | None
    ) -> None:
        sim.shape.change(required=["email"])

        with pytest.raises(RequestRefusedError):
            client.create_session(ORDER, **LINKS, attempt_id=attempt_id)

        assert sim.requests.count("POST /api/product/session") == 1

    def test_urls_beyond_ascii_reach_spayon_in_ascii(self, client: Client, wire: list[str]) -> None:
        client.create_session(
            ORDER,
            callback_url="http://\u056d\u0561\u0576\u0578\u0582\u0569.example/\u057e\u0573\u0561\u0580/callback",
            return_url="http://shop.test/caf\u00e9/return",
            cancel_url="http://shop.test/100%25/cancel/x",
        )

        sent = json.loads(wire[-1])
        assert sent["callback_url"].startswith("http://xn--")
        assert sent["callback_url"].endswith(".example/%D5%BE%D5%B3%D5%A1%D6%80/callback")
        assert sent["return_url"] == "http://shop.test/caf%C3%A9/return"
        assert sent["cancel_url"] == "http://shop.test/100%25/cancel/x"

    def test_a_url_that_nobody_can_call_is_an_error_of_the_settings(self, client: Client) -> None:
        with pytest.raises(ConfigError, match="PUBLIC_URL"):
            client.create_session(ORDER, **LINKS | {"callback_url": "http://*.example/callback"})


class TestTheStatus:
    def test_a_status_is_a_report_like_a_callback(self, sim: Simulator, client: Client) -> None:
        session_id = create(client).session_id
        sim.pay(session_id)

        report = client.get_session(session_id)

        assert (report.status, report.price, report.order_id) == ("paid", Decimal(1000), "A1")

    def test_an_unknown_session_is_told_as_such_and_a_strange_id_stays_inside_its_path(
        self, sim: Simulator, client: Client
    ) -> None:
        with pytest.raises(SessionNotFoundError):
            client.get_session("../../api/tokens?x=1#y")

        assert sim.requests.count("POST /api/tokens") == 1

    def test_an_answer_about_another_session_is_refused(self) -> None:
        with pytest.raises(UnexpectedAnswerError, match="another"):
            answering(b'{"sessionId": "B", "status": "paid"}').get_session("A")


class TestTokens:
    def test_a_refused_token_is_replaced_and_the_call_repeated_once(
        self, sim: Simulator, client: Client
    ) -> None:
        create(client)
        sim.tokens.revoke_all()

        create(client)

        assert sim.requests.count("POST /api/tokens") == 2
        assert sim.sessions.created == 2

    def test_a_token_that_is_refused_again_is_an_error(self) -> None:
        with pytest.raises(AuthenticationError, match="just given out"):
            answering(b"{}", 401).get_session("S")

    def test_wrong_credentials_are_an_error_that_names_the_keys(self, sim: Simulator) -> None:
        client = make_client(sim.url, CLIENT_SECRET="wrong")

        with pytest.raises(AuthenticationError, match="CLIENT_ID and CLIENT_SECRET"):
            create(client)

    @pytest.mark.parametrize(
        "token",
        [
            {},
            {"access_token": ""},
            {"access_token": 1},
            {"access_token": "a\r\nb"},
            {"access_token": "t\u00e9"},
        ],
    )
    def test_a_senseless_token_is_an_error_of_ours(self, token: dict[str, Any]) -> None:
        with pytest.raises(UnexpectedAnswerError):
            create(answering(b"", token=json.dumps(token).encode()))

    @pytest.mark.parametrize(
        ("expires_in", "seconds"),
        [
            ("3600", 3600),
            (" 60 ", 60),
            (60, 60),
            (59.5, 59.5),
            (0, 3600),
            ("0", 3600),
            (-1, 3600),
            (None, 3600),
            ("soon", 3600),
            (True, 3600),
            ([60], 3600),
            ("nan", 3600),
            (float("inf"), 3600),
            (10**400, 3600),
            (3_600_000, 24 * 3600),
        ],
    )
    def test_a_life_that_makes_no_sense_is_the_documented_hour(
        self, expires_in: object, seconds: float
    ) -> None:
        token = json.dumps({"access_token": "t", "expires_in": expires_in}).encode()

        made = answering(b"", token=token).request_token()
        assert made.expires_in == pytest.approx(seconds, abs=2)

    def test_a_byte_order_mark_before_the_json_does_no_harm(self) -> None:
        created, told, token = (b"\xef\xbb\xbf" + SAYS[path] for path in sorted(SAYS))

        assert create(answering(created, token=token)).session_id == "S1"
        assert answering(told, token=token).get_session("S1").status == "pending"


class TestTrouble:
    @pytest.mark.parametrize("code", [429, 500, 503])
    def test_a_gateway_in_trouble_is_unavailable(
        self, sim: Simulator, client: Client, code: int
    ) -> None:
        sim.fault("error", on="sessions", code=code)

        with pytest.raises(GatewayUnavailableError, match=str(code)):
            create(client)

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("7", [7]),
            *(
                (value, [None, 6 * 3600])
                for value in ("soon", "", "-7", "9" * 400, "Wed, 99 Foo 2026")
            ),
        ],
    )
    def test_the_time_that_spayon_asks_to_wait_is_told_if_it_makes_sense(
        self, value: str, seconds: list[float | None]
    ) -> None:
        with pytest.raises(GatewayUnavailableError) as caught:
            create(answering(b"", 429, headers={"Retry-After": value}))

        assert caught.value.retry_after in seconds

    @pytest.mark.parametrize("later", [120, -120])
    def test_the_time_to_wait_may_be_a_date(self, later: int) -> None:
        date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=later), usegmt=True)
        client = answering(b"", 503, headers={"Retry-After": date})

        with pytest.raises(GatewayUnavailableError) as caught:
            create(client)

        assert caught.value.retry_after == pytest.approx(max(later, 0), abs=30)

    @pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncated"])
    def test_a_broken_connection_is_unavailable(
        self, sim: Simulator, client: Client, kind: str
    ) -> None:
        sim.fault(kind, on="sessions", times=None)

        with pytest.raises(GatewayUnavailableError):
            create(client)

    @pytest.mark.parametrize(
        ("framing", "piece"),
        [("Content-Length: 300", b" "), ("Transfer-Encoding: chunked", b"1\r\n \r\n")],
    )
    def test_an_answer_that_trickles_in_is_given_up(self, framing: str, piece: bytes) -> None:
        sent: list[bytes] = []
        pause = threading.Event()

        def trickle(listener: socket.socket) -> None:
            connection, _ = listener.accept()

            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())

                while len(sent) < 300 and not pause.wait(0.02):
                    connection.sendall(piece)
                    sent.append(piece)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=trickle, args=(listener,), daemon=True).start()
            client = make_client(f"http://127.0.0.1:{listener.getsockname()[1]}", TIMEOUT=[1, 0.1])

            # On a busy machine a single piece may come too late as well.
            with pytest.raises(GatewayUnavailableError, match=r"too long|ReadTimeout"):
                client.request_token()

        # Three read time-outs are 0.3 seconds, and the whole answer takes 6.
        assert len(sent) < 150

    def test_nobody_there_is_unavailable_and_nothing_was_sent(self) -> None:
        with pytest.raises(GatewayUnavailableError) as caught:
            create(make_client("http://127.0.0.1:9"))

        assert not caught.value.sent

    def test_a_redirect_is_not_followed(self) -> None:
        elsewhere = {"Location": "https://evil.example/api/product/session"}

        with pytest.raises(UnexpectedAnswerError, match="redirects"):
            create(answering(b"", 307, headers=elsewhere))


class TestConnections:
    def test_a_hundred_checkouts_in_one_thread_take_one_token_and_one_connection(
        self, sim: Simulator, client: Client
    ) -> None:
        for _ in range(100):
            create(client)

        assert sim.requests.connections == 1
        assert sim.requests.count("POST /api/tokens") == 1

    def test_threads_share_the_pool(self, sim: Simulator, client: Client) -> None:
        create(client)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: create(client), range(80)))

        assert sim.requests.connections <= 9
        assert sim.sessions.created == 81

    def test_a_forked_child_opens_a_connection_of_its_own(
        self, sim: Simulator, client: Client
    ) -> None:
        create(client)
        pid = os.fork()

        if pid == 0:
            create(client)
            os._exit(0)

        os.waitpid(pid, 0)
        create(client)

        assert sim.requests.connections == 2
        assert sim.sessions.created == 3

    @pytest.mark.parametrize("told", [True, False], ids=["closed", "reset"])
    @pytest.mark.parametrize(
        ("path", "call"),
        [
            ("/api/tokens", Client.request_token),
            ("/api/product/session", create),
            ("/api/product/session/S1", lambda client: client.get_session("S1")),
        ],
        ids=["token", "create", "status"],
    )
    def test_a_connection_that_was_cut_while_idle_costs_nobody_anything(
        self, told: bool, path: str, call: Callable[[Client], object]
    ) -> None:
        with hanging_up(told=told) as (url, cut):
            client = make_client(url)
            client.tokens.get()
            call(client)

        assert cut == [path]

    def test_a_gateway_that_hangs_up_each_time_is_asked_twice(self) -> None:
        with hanging_up(answers=0) as (url, cut), pytest.raises(GatewayUnavailableError) as caught:
            make_client(url).request_token()

        assert cut == ["/api/tokens"] * 2
        assert caught.value.sent


def test_no_local_variable_of_ours_shows_a_secret_or_who_pays() -> None:
    order = dataclasses.replace(ORDER, email="payer@example.com", full_name="John Doe")
    refused = answering(b"{}", 422, CLIENT_SECRET="hush-hush")
    senseless = answering(b"<html>", CLIENT_SECRET="hush-hush")
    busy = answering(b"", 503, CLIENT_SECRET="hush-hush")
    away = make_client("http://127.0.0.1:9", CLIENT_SECRET="hush-hush")
    told = ""

    for work in (
        lambda: create(refused, order),
        lambda: create(senseless, order),
        lambda: create(away, order),
        lambda: create(busy, order),
        lambda: senseless.get_session("S1"),
        away.request_token,
    ):
        with pytest.raises(GatewayError) as caught:
            work()

        # As Sentry renders an error: each frame with its variables.
        told += "".join(TracebackException(*caught._excinfo, capture_locals=True).format())  # type: ignore[misc]  # there is one

    secrets = ("t0ken", "hush-hush", "payer@example.com", "John Doe")
    assert "token = <hidden>" in told
    assert not [secret for secret in secrets if secret in told]


def test_every_call_is_told_to_observers(sim: Simulator, client: Client) -> None:
    calls: list[tuple[str, str]] = []

    def note(sender: str, call: str, outcome: str, seconds: float) -> None:
        assert sender == "spayon"
        assert seconds >= 0
        calls.append((call, outcome))

    sim.fault("error", on="sessions", code=503)

    with gateway_called.connected_to(note), pytest.raises(GatewayUnavailableError):
        create(client)

    assert calls == [("token", "ok"), ("create", "GatewayUnavailableError")]


def test_no_answer_shows_its_body_in_a_repr() -> None:
    assert repr(Answer(200, b'{"access_token": "t0ken"}')) == "Answer(status=200)"


def test_a_base_url_that_nothing_can_be_sent_to_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="API_URL"):
        Transport("https://*.example", (1, 1), "spayon")


def test_a_host_beyond_ascii_goes_out_in_ascii() -> None:
    transport, note = noted("https://\u0562\u0561\u0576\u056f.example/v1")
    transport.send("status", "GET", "/s")

    ((_, url, _, _),) = note.requests
    assert url.startswith("https://xn--")
    assert url.endswith(".example/v1/s")


def test_one_request_leaves_nothing_in_the_next() -> None:
    transport, note = noted("https://api.example")
    transport.send("create", "POST", "/one", json={"a": 1}, token="t0ken")
    transport.send("status", "GET", "/two")

    method, url, headers, body = note.requests[1]
    assert (method, url, body) == ("GET", "https://api.example/two", b"")
    assert not {"Authorization", "Content-Type", "Content-Length"} & set(headers)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Gateway() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        transport = Transport("http://spayon.test", (1, 1), "spayon")

        assert transport.send("status", "GET", "/api/product/session/S1").status == 200


def test_the_netrc_of_the_user_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    transport, note = noted("http://127.0.0.1:9")
    transport.send("status", "GET", "/api/product/session/S1", token="t0ken")
    transport.send("status", "GET", "/api/product/session/S1")

    assert [headers.get("Authorization") for _, _, headers, _ in note.requests] == [
        "Bearer t0ken",
        None,
    ]


def test_no_proxy_of_the_environment_stands_before_this_very_machine(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    for url in (sim.url, sim.url.replace("127.0.0.1", "localhost")):
        assert create(make_client(url)).session_id
        assert probe(url, timeout=(1, 1)).error is None


class TestTheWayToSpayon:
    """Whatever goes wrong on the way is a `GatewayError`, and no wrong credentials."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem"),
            ("https_proxy", "socks5://127.0.0.1:9"),
            ("https_proxy", "http://[nonsense"),
            ("https_proxy", "http:///"),
        ],
    )
    def test_what_requests_cannot_read_is_no_answer_and_nothing_was_sent(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        client = make_client("https://spayon.invalid", **PRODUCTION)

        with pytest.raises(GatewayUnavailableError, match="Spayon could not be asked") as caught:
            client.get_session("S1")

        assert not caught.value.sent

    @pytest.mark.parametrize("code", [401, 403, 406])
    @pytest.mark.parametrize("headers", [{"Content-Type": "text/html"}, {}])
    def test_a_firewall_s_page_does_not_say_that_our_credentials_are_wrong(
        self, code: int, headers: dict[str, str]
    ) -> None:
        client = answering(b"\n<!doctype html><title>Blocked</title>", code, headers=headers)

        for call in (lambda: create(client), lambda: client.get_session("S1")):
            with pytest.raises(UnexpectedAnswerError, match="on the way to Spayon"):
                call()

    @pytest.mark.parametrize("code", [401, 403, 406])
    def test_nor_does_one_before_the_token(self, code: int) -> None:
        with Gateway() as gateway:
            gateway.tokens = lambda _: Says(b"<html>Blocked</html>", code)

            with pytest.raises(UnexpectedAnswerError):
                make_client(gateway.url).request_token()

    def test_a_gateway_that_takes_its_time_is_waited_for_no_longer_than_allowed(self) -> None:
        waits = threading.Event()

        def hang(path: str) -> Says:
            waits.wait(20)
            return token(path)

        with Gateway() as gateway:
            client = make_client(gateway.url, TIMEOUT=[60, 60])
            gateway.tokens = hang

            with pytest.raises(GatewayUnavailableError):
                client.get_session("S1", within=0.2)

            gateway.tokens, gateway.statuses = token, hang

            with pytest.raises(GatewayUnavailableError):
                client.get_session("S1", within=0.2)

            waits.set()
