"""Client: the gateway's API over real HTTP, and everything that can go wrong there."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

from spayon_flask import AuthenticationError
from spayon_flask import ConfigError
from spayon_flask import GatewayError
from spayon_flask import GatewayUnavailableError
from spayon_flask import Order
from spayon_flask import RequestRefusedError
from spayon_flask import SessionNotFoundError
from spayon_flask import Settings
from spayon_flask import UnexpectedAnswerError
from spayon_flask.client import Client
from spayon_flask.client.connections import Connections
from spayon_flask.client.payment_sessions import PaymentSession
from spayon_flask.client.transport import Answer
from spayon_flask.client.transport import Transport
from spayon_flask.signals import gateway_called
from spayon_flask.simulator import Simulator
from tests.gateway import Gateway
from tests.shop import CONFIG


LINKS = {
    "callback_url": "http://shop.test/pay/callback",
    "return_url": "http://shop.test/pay/return",
    "cancel_url": "http://shop.test/pay/cancel/x",
}

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")


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

    @pytest.mark.parametrize(
        ("price", "written"),
        [
            ("0.1", "0.1"),
            ("99999999999.9999", "99999999999.9999"),
            ("999999999999999", "999999999999999"),
            ("1E+3", "1000"),
            ("0.0001", "0.0001"),
            ("19.90", "19.9"),
        ],
    )
    def test_the_price_on_the_wire_is_exact(
        self, answering: Callable[..., Client], price: str, written: str, wire: list[str]
    ) -> None:
        client = answering(http(b'{"session_id": "S", "session_url": "http://127.0.0.1/S"}'))
        create(client, dataclasses.replace(ORDER, price=Decimal(price)))

        assert f'"price": {written},' in wire[-1]

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
        client = answering(http(body), ENVIRONMENT="production", PUBLIC_URL="https://shop.example")

        with pytest.raises(UnexpectedAnswerError, match="session_url"):
            create(client)

    def test_a_refusal_says_what_to_check(self, answering: Callable[..., Client]) -> None:
        with pytest.raises(RequestRefusedError, match=r"HTTP 422.*order's fields") as caught:
            create(answering(http(b"{}", "422 No")))

        assert caught.value.status_code == 422


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
            {"access_token": "t", "expires_in": -1},
            {"access_token": "t", "expires_in": "soon"},
        ],
    )
    def test_a_senseless_token_is_an_error_of_ours(
        self, answering: Callable[..., Client], token: dict[str, Any], monkeypatch: Any
    ) -> None:
        monkeypatch.setitem(globals(), "GOOD_TOKEN", http(json.dumps(token).encode()))

        with pytest.raises(UnexpectedAnswerError):
            create(answering(b""))


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

    @pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncated"])
    def test_a_broken_connection_is_unavailable(
        self, sim: Simulator, client: Client, kind: str
    ) -> None:
        sim.fault(kind, on="sessions")

        with pytest.raises(GatewayUnavailableError):
            create(client)

    def test_a_slow_gateway_is_given_up(self, sim: Simulator, client: Client) -> None:
        sim.fault("latency", on="sessions", seconds=3)

        with pytest.raises(GatewayUnavailableError, match=r"Timeout|ConnectionError"):
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

            with pytest.raises(GatewayUnavailableError, match="too long"):
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

        sim.fault("drop_before")

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

    def test_what_netrc_holds_does_not_replace_the_token(
        self, sim: Simulator, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login someone password something\n")
        monkeypatch.setenv("NETRC", str(netrc))

        assert create(client).session_id


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
    request = Connections("https://\u0562\u0561\u0576\u056f.example/v1").request(
        "GET", "/s", None, None
    )

    assert str(request.url).startswith("https://xn--")
    assert str(request.url).endswith(".example/v1/s")


def test_one_request_leaves_nothing_in_the_next() -> None:
    connections = Connections("https://api.example")
    connections.request("POST", "/one", {"a": 1}, "t0ken")
    second = connections.request("GET", "/two", None, None)

    assert (second.method, second.url, second.body) == ("GET", "https://api.example/two", None)
    assert not {"Authorization", "Content-Type", "Content-Length"} & set(second.headers)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Gateway() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        transport = Transport("http://spayon.test", (1, 1), "spayon")

        assert transport.send("status", "GET", "/api/product/session/S1").status == 200


def test_the_netrc_of_the_user_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[Any] = []

    class Note(HTTPAdapter):
        def send(self, request: Any, *rest: Any, **options: Any) -> Any:
            seen.append(request.headers.get("Authorization"))
            return super().send(request, *rest, **options)

    with Gateway() as gateway:
        transport = Transport(gateway.url, (1, 1), "spayon")
        transport.answer_with(Note())
        transport.send("status", "GET", "/api/product/session/S1", token="t0ken")
        transport.send("status", "GET", "/api/product/session/S1")

    assert seen == ["Bearer t0ken", None]
