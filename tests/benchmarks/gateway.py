"""A gateway of constant latency in a process of its own: `python -m tests.benchmarks.gateway`.

The simulator speaks all of Spayon's language and is slower for it; this one only answers the
three calls, each *latency* after it came, for as many as come at once.
"""

import asyncio
import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.deliveries import (
    CREATED_AT,
    CURRENCY,
    PRICE,
    UPDATED_AT,
    order_id,
    session_id,
)
from tests.crashes.server import ROOT

#: Status calls at once, in the benchmark of reconcile.
JOBS = 32


@contextmanager
def gateway(*, latency: float, payments: int = 0) -> Iterator[str]:
    """Run the gateway; the payment sessions of the first *payments* numbers are paid."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        words = map(str, (listener.fileno(), latency, payments))
        command = [sys.executable, "-m", "tests.benchmarks.gateway", *words]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[listener.fileno()])

        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"

        finally:
            process.terminate()
            process.wait(timeout=10)


class Gateway:
    """Answer on keep-alive connections."""

    def __init__(self, latency: float, payments: int) -> None:
        self.latency = latency
        self.orders = {session_id(number): order_id(number) for number in range(payments)}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection until it is closed."""
        while head := await _read_head(reader):
            method, path, length = head
            await reader.readexactly(length)
            if path != "/api/tokens":
                await asyncio.sleep(self.latency)

            body = self.answer(method, path)
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            await writer.drain()

        writer.close()

    def answer(self, method: str, path: str) -> bytes:
        """Write what Spayon would answer."""
        session = path.rpartition("/")[2]
        if path == "/api/tokens":
            data = {"access_token": "token", "token_type": "Bearer", "expires_in": 3600}
        elif method == "POST":
            session = str(uuid.uuid4())
            data = {"session_id": session, "session_url": f"http://127.0.0.1/pay/{session}"}
        else:
            data = {
                "sessionId": session,
                "status": "paid" if session in self.orders else "pending",
                "productName": "Iphone 16S",
                "price": PRICE,
                "currency": CURRENCY,
                "createdAt": CREATED_AT,
                "updatedAt": UPDATED_AT,
                "orderId": self.orders.get(session, ""),
            }

        return json.dumps(data).encode()


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, int] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None

    method, path, _ = head.split(b" ", 2)
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return method.decode(), path.decode(), int(length or 0)


async def main(descriptor: str, latency: str, payments: str) -> None:
    """Answer until the process is ended."""
    listener = socket.socket(fileno=int(descriptor))
    server = await asyncio.start_server(Gateway(float(latency), int(payments)).serve, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
