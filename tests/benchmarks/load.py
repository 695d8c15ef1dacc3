"""A load generator that costs little: one thread, raw sockets, requests written beforehand.

`python -m tests.benchmarks.load` takes its plan from standard input.
"""

import os
import pickle
import selectors
import socket
import sys
import time
from collections import Counter


def send(port: int, requests: list[bytes], connections: int, answers: Counter[int]) -> None:
    """Send *requests* over so many *connections* at a time, a new one for each; count *answers*."""
    selector = selectors.DefaultSelector()
    left = iter(requests)

    def begin_next() -> None:
        if (request := next(left, None)) is not None:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(request)
            selector.register(connection, selectors.EVENT_READ, bytearray())

    for _ in range(connections):
        begin_next()

    while selector.get_map():
        for key, _ in selector.select():
            connection, answer = key.fileobj, key.data
            assert isinstance(connection, socket.socket)

            # The server closes the connection behind its answer.
            if piece := connection.recv(65536):
                answer += piece
                continue

            selector.unregister(connection)
            connection.close()
            answers[int(answer[9:12] or b"0")] += 1
            begin_next()


def main() -> None:
    """Send what the plan says, from the last core, so that servers may have the others."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    port, requests, at_once, connections = pickle.load(sys.stdin.buffer)
    answers: Counter[int] = Counter()
    began = time.perf_counter()

    if at_once:
        for request in requests:
            send(port, [request] * at_once, at_once, answers)

    else:
        send(port, requests, connections, answers)

    pickle.dump((time.perf_counter() - began, answers), sys.stdout.buffer)


if __name__ == "__main__":
    main()
