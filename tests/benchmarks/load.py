"""A load generator that costs little: one thread, raw sockets, requests written beforehand.

It runs as a process of its own (`load_process`), so that no server pays for the harness.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to send: every request once, or in a race every request on all connections at once."""

    port: int
    requests: list[bytes]
    connections: int
    keep_alive: bool
    race: bool = False


@dataclass(kw_only=True)
class Outcome:
    """What came back: seconds on the clock, latencies, and answers by status code."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)


class Connection:
    """One client that waits for each answer before it sends again."""

    def __init__(self, plan: Plan, outcome: Outcome) -> None:
        self.plan = plan
        self.outcome = outcome
        self.socket: socket.socket | None = None
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> socket.socket:
        """Send *request*, over the connection at hand if there is one."""
        self.sent_at = time.perf_counter()
        self.received = b""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.plan.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)
        return self.socket

    def receive(self) -> bool:
        """Read what is there; true once the answer is whole."""
        assert self.socket is not None
        piece = self.socket.recv(65536)
        self.received += piece
        if piece and not _is_whole(self.received):
            return False

        self.outcome.latencies.append(time.perf_counter() - self.sent_at)
        self.outcome.answers[int(self.received[9:12] or b"0")] += 1
        if not self.plan.keep_alive or not piece or b"\r\nConnection: close" in self.received:
            self.socket.close()
            self.socket = None

        return True


def _is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False

    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or 0)


def run(plan: Plan) -> Outcome:
    """Send what *plan* says and measure."""
    outcome = Outcome()
    selector = selectors.DefaultSelector()
    connections = [Connection(plan, outcome) for _ in range(plan.connections)]
    started = time.perf_counter()
    if plan.race:
        for request in plan.requests:
            _drive(selector, connections, iter([request] * plan.connections))
    else:
        _drive(selector, connections, iter(plan.requests))

    outcome.seconds = time.perf_counter() - started
    return outcome


def _drive(
    selector: selectors.BaseSelector, connections: list[Connection], requests: Iterator[bytes]
) -> None:
    waiting = 0
    for connection, request in zip(connections, requests, strict=False):
        selector.register(connection.send(request), selectors.EVENT_READ, connection)
        waiting += 1

    while waiting:
        for key, _ in selector.select():
            connection = key.data
            if not connection.receive():
                continue

            following = next(requests, None)
            if following is not None and connection.socket is key.fileobj:
                connection.send(following)
                continue

            selector.unregister(key.fileobj)
            if following is None:
                waiting -= 1
            else:
                selector.register(connection.send(following), selectors.EVENT_READ, connection)
