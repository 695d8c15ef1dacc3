"""Client: the gateway's API over real HTTP, and everything that can go wrong there."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from traceback import TracebackException
from typing import TYPE_CHECKING, Any

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
from tests.shop import CONFIG

if TYPE_CHECKING:
    from typing_extensions import Self


LINKS = {
    "callback_url": "http://shop.test/pay/callback",
    "return_url": "http://shop.test/pay/return",
    "cancel_url": "http://shop.test/pay/cancel/x",
}

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")


PRODUCTION = {
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


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], Client]]:
    """Make a client whose gateway answers every request with the same raw bytes."""
    stopping: list[socket.socket] = []

    def make(answer: bytes, **config: Any) -> Client:
        listener = socket.create_server(("127.0.0.1", 0))
        stopping.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()

                except OSError:
                    return

                # A client that has read enough may hang up first.
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    head = b""

                    while b"\r\n\r\n" not in head and (chunk := connection.recv(65536)):
                        head += chunk

                    token = b"/api/tokens" in head
                    connection.sendall(GOOD_TOKEN if token else answer)
                    connection.shutdown(socket.SHUT_WR)

                    while connection.recv(65536):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        return make_client(f"http://127.0.0.1:{listener.getsockname()[1]}", **config)

    yield make

    for listener in stopping:
        listener.close()


def http(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n"
    return head.encode() + body


GOOD_TOKEN = http(b'{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600}')


class Hanging:
    """A gateway that closes each connection without a word after *answers* answers.

    It does so when the next request has come, as a router does that has forgotten the connection:
    the close is *told*, or else it is a reset.
    """

    def __init__(self, *, answers: int = 1, told: bool = True) -> None:
        #: The paths of the requests that got no answer.
        self.cut: list[str] = []
        self._answers = answers
        self._told = told
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        left = self._answers

        with connection, suppress(OSError):
            while path := self._read(connection):
                if left == 0:
                    self.cut.append(path)
                    break

                left -= 1
                kept = b"Connection: keep-alive"
                connection.sendall(SAYS[path].replace(b"Connection: close", kept))

            if not self._told:
                # To close a socket with this option sends a reset.
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _read(self, connection: socket.socket) -> str:
        received = b""

        while b"\r\n\r\n" not in received and (chunk := connection.recv(65536)):
            received += chunk

        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)

        while length and len(body) < int(length.group(1)):
            body += connection.recv(65536)

        return head.split(b" ")[1].decode() if head else ""


SAYS = {
    "/api/tokens": GOOD_TOKEN,
    "/api/product/session": http(b'{"session_id": "S1", "session_url": "http://127.0.0.1/S1"}'),
    "/api/product/session/S1": http(b'{"sessionId": "S1", "status": "pending"}'),
}


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
    def test_a_senseless_answer_is_an_error_of_ours(
        self, answering: Callable[..., Client], answer: bytes
    ) -> None:
        with pytest.raises(UnexpectedAnswerError):
            create(answering(http(answer)))

    def test_in_production_the_payer_is_sent_to_https_only(
        self, answering: Callable[..., Client]
    ) -> None:
        body = b'{"session_id": "S", "session_url": "http://pay.example/S"}'
        client = answering(http(body), **PRODUCTION)

        with pytest.raises(UnexpectedAnswerError, match="session_url"):
            create(client)

    def test_a_refusal_says_what_to_check(self, answering: Callable[..., Client]) -> None:
        with pytest.raises(RequestRefusedError, match=r"HTTP 422.*order's fields") as caught:
            create(answering(http(b"{}", "422 No")))

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

    @pytest.mark.parametrize("code", ["400 No", "409 No", "422 No"])
    def test_a_refusal_with_an_id_of_the_attempt_is_final(
        self, answering: Callable[..., Client], wire: list[str], code: str
    ) -> None:
        client = answering(http(b"{}", code))

        with pytest.raises(RequestRefusedError):
            client.create_session(ORDER, **LINKS, attempt_id="A1_1")

        sent = [json.loads(body)["order_id"] for body in wire if "order_id" in body]
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

    def test_an_unknown_session_is_told_as_such(self, client: Client) -> None:
        with pytest.raises(SessionNotFoundError):
            client.get_session("nobody")

    def test_a_strange_session_id_stays_inside_its_path(
        self, sim: Simulator, client: Client
    ) -> None:
        with pytest.raises(SessionNotFoundError):
            client.get_session("../../api/tokens?x=1#y")

        assert sim.requests.count("POST /api/tokens") == 1

    def test_an_answer_about_another_session_is_refused(
        self, answering: Callable[..., Client]
    ) -> None:
        with pytest.raises(UnexpectedAnswerError, match="another"):
            answering(http(b'{"sessionId": "B", "status": "paid"}')).get_session("A")


class TestTokens:
    def test_a_thousand_calls_take_one_token(self, sim: Simulator, client: Client) -> None:
        session_id = create(client).session_id

        for _ in range(999):
            client.get_session(session_id)

        assert sim.requests.count("POST /api/tokens") == 1

    def test_a_refused_token_is_replaced_and_the_call_repeated_once(
        self, sim: Simulator, client: Client
    ) -> None:
        create(client)
        sim.tokens.revoke_all()

        create(client)

        assert sim.requests.count("POST /api/tokens") == 2
        assert sim.sessions.created == 2

    def test_a_token_that_is_refused_again_is_an_error(
        self, answering: Callable[..., Client]
    ) -> None:
        with pytest.raises(AuthenticationError, match="just given out"):
            answering(http(b"{}", "401 No")).get_session("S")

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
    def test_a_senseless_token_is_an_error_of_ours(
        self, answering: Callable[..., Client], token: dict[str, Any], monkeypatch: Any
    ) -> None:
        monkeypatch.setitem(globals(), "GOOD_TOKEN", http(json.dumps(token).encode()))

        with pytest.raises(UnexpectedAnswerError):
            create(answering(b""))

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
        self,
        answering: Callable[..., Client],
        expires_in: object,
        seconds: float,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        token = {"access_token": "t", "expires_in": expires_in}
        monkeypatch.setitem(globals(), "GOOD_TOKEN", http(json.dumps(token).encode()))

        assert answering(b"").request_token().expires_in == pytest.approx(seconds, abs=2)

    def test_a_byte_order_mark_before_the_json_does_no_harm(
        self, answering: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mark = b"\xef\xbb\xbf"
        monkeypatch.setitem(globals(), "GOOD_TOKEN", http(mark + b'{"access_token": "t"}'))
        created = http(mark + b'{"session_id": "S", "session_url": "http://127.0.0.1/S"}')
        told = http(mark + b'{"sessionId": "S", "status": "paid"}')

        assert create(answering(created)).session_id == "S"
        assert answering(told).get_session("S").status == "paid"


class TestTrouble:
    @pytest.mark.parametrize("code", [429, 500, 503])
    def test_a_gateway_in_trouble_is_unavailable(
        self, sim: Simulator, client: Client, code: int
    ) -> None:
        sim.fault("error", on="sessions", code=code)

        with pytest.raises(GatewayUnavailableError, match=str(code)):
            create(client)

    def test_the_time_that_spayon_asks_to_wait_is_told(
        self, answering: Callable[..., Client]
    ) -> None:
        client = answering(http(b"", "429 Slow down", "Retry-After: 7\r\n"))

        with pytest.raises(GatewayUnavailableError) as caught:
            create(client)

        assert caught.value.retry_after == 7

    @pytest.mark.parametrize("later", [120, -120])
    def test_the_time_to_wait_may_be_a_date(
        self, answering: Callable[..., Client], later: int
    ) -> None:
        date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=later), usegmt=True)
        client = answering(http(b"", "503 Away", f"Retry-After: {date}\r\n"))

        with pytest.raises(GatewayUnavailableError) as caught:
            create(client)

        assert caught.value.retry_after == pytest.approx(max(later, 0), abs=30)

    @pytest.mark.parametrize("value", ["soon", "", "-7", "9" * 400, "Wed, 99 Foo 2026"])
    def test_a_time_to_wait_that_makes_no_sense_is_none_or_a_few_hours(
        self, answering: Callable[..., Client], value: str
    ) -> None:
        client = answering(http(b"", "503 Away", f"Retry-After: {value}\r\n"))

        with pytest.raises(GatewayUnavailableError) as caught:
            create(client)

        assert caught.value.retry_after in (None, 6 * 3600)

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

    def test_a_redirect_is_not_followed(
        self, sim: Simulator, answering: Callable[..., Client]
    ) -> None:
        elsewhere = f"Location: {sim.url}/api/product/session\r\n"

        with pytest.raises(UnexpectedAnswerError, match="redirects"):
            create(answering(http(b"", "307 There", elsewhere)))

        assert sim.requests.count() == 0

    def test_no_error_and_no_log_line_holds_a_secret(
        self, sim: Simulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        client = make_client(sim.url, CLIENT_SECRET="hush-hush", TIMEOUT=[1, 0.5])
        order = dataclasses.replace(ORDER, email="payer@example.com")

        with pytest.raises(GatewayError) as refused:
            create(client, order)

        sim.fault("drop_before", times=None)

        with pytest.raises(GatewayError) as dropped:
            create(client, order)

        told = caplog.text + repr(refused.value) + repr(dropped.value)
        assert "hush-hush" not in told
        assert "payer@example.com" not in told


class TestConnections:
    def test_a_hundred_checkouts_in_one_thread_take_one_connection(
        self, sim: Simulator, client: Client
    ) -> None:
        for _ in range(100):
            create(client)

        assert sim.requests.connections == 1

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
        with Hanging(told=told) as gateway:
            client = make_client(gateway.url)
            client.tokens.get()
            call(client)

        assert gateway.cut == [path]

    def test_a_gateway_that_hangs_up_each_time_is_asked_twice(self) -> None:
        with Hanging(answers=0) as gateway, pytest.raises(GatewayUnavailableError) as caught:
            make_client(gateway.url).request_token()

        assert gateway.cut == ["/api/tokens"] * 2
        assert caught.value.sent


def test_no_local_variable_of_ours_shows_a_secret_or_who_pays(
    answering: Callable[..., Client],
) -> None:
    order = dataclasses.replace(ORDER, email="payer@example.com", full_name="John Doe")
    refused = answering(http(b"{}", "422 No"), CLIENT_SECRET="hush-hush")
    senseless = answering(http(b"<html>"), CLIENT_SECRET="hush-hush")
    busy = answering(http(b"", "503 Busy"), CLIENT_SECRET="hush-hush")
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


class Note:
    """Stand in for the network: keep each request, and answer all of them alike."""

    def __init__(self, body: bytes = b"{}") -> None:
        self.body = body
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        self.requests.append((method, url, dict(headers), body))
        return 200, {}, self.body


def test_a_host_beyond_ascii_goes_out_in_ascii() -> None:
    transport = Transport("https://\u0562\u0561\u0576\u056f.example/v1", (1, 1), "spayon")
    transport.answer_with(note := Note())
    transport.send("status", "GET", "/s")

    ((_, url, _, _),) = note.requests
    assert url.startswith("https://xn--")
    assert url.endswith(".example/v1/s")


def test_one_request_leaves_nothing_in_the_next() -> None:
    transport = Transport("https://api.example", (1, 1), "spayon")
    transport.answer_with(note := Note())
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
    transport = Transport("http://127.0.0.1:9", (1, 1), "spayon")
    transport.answer_with(note := Note())
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

    @pytest.mark.parametrize("code", ["401 Unauthorized", "403 Forbidden", "406 Not Acceptable"])
    @pytest.mark.parametrize("kind", ["Content-Type: text/html\r\n", ""])
    def test_a_firewall_s_page_does_not_say_that_our_credentials_are_wrong(
        self, answering: Callable[..., Client], code: str, kind: str
    ) -> None:
        page = http(b"\n<!doctype html><title>Blocked</title>", code, kind)
        client = answering(page)

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
