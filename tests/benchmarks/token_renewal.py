"""The token service under 64 threads: what a renewal costs those who ask for a token meanwhile."""

import threading
import time

from spayon_flask.tokens import Token
from spayon_flask.tokens import TokenService
from tests.benchmarks.documents import Table
from tests.benchmarks.reports import Figures
from tests.benchmarks.reports import Goal
from tests.benchmarks.rounds import percentile


THREADS = 64
LATENCY = 0.2

#: Seconds after the beginning of a round at which the token comes of age.
BEFORE = 0.1


class Clock:
    """A clock that is moved by hand, so that an hour passes at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def measure(*, renews: bool, calls: int) -> tuple[list[float], int]:
    """Let every thread take *calls* tokens; return each call's seconds and the tokens fetched.

    With *renews* the token comes of age while they do, and Spayon takes its time.
    """
    fetched: list[int] = []

    def fetch() -> Token:
        if fetched:
            time.sleep(LATENCY)

        fetched.append(1)
        return Token(access_token=f"token-{len(fetched)}", expires_in=3600)

    clock = Clock()
    service = TokenService(fetch, clock=clock)
    service.get()
    start = threading.Barrier(THREADS)
    seconds: list[list[float]] = [[] for _ in range(THREADS)]

    def work(mine: list[float]) -> None:
        start.wait()
        for _ in range(calls):
            began = time.perf_counter()
            service.get()
            mine.append(time.perf_counter() - began)
            # What a request does besides: without a pause one thread would run to its end alone.
            time.sleep(0.001)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in seconds]
    for thread in threads:
        thread.start()

    # Not at the outset, when all of them begin at the same moment and wait for each other.
    time.sleep(BEFORE)
    clock.now = 3500 if renews else 100

    for thread in threads:
        thread.join()

    return [each for mine in seconds for each in mine], len(fetched) - 1


def run(*, quick: bool) -> Figures:
    """Compare the slowest hundredth of all calls with a renewal and without, round by round."""
    rounds, calls = (3, 100) if quick else (9, 800)
    p99: dict[bool, list[float]] = {False: [], True: []}
    requests: dict[bool, list[int]] = {False: [], True: []}
    for this in range(rounds):
        for renews in (False, True) if this % 2 else (True, False):
            seconds, fetched = measure(renews=renews, calls=calls)
            p99[renews].append(percentile(seconds, 0.99))
            requests[renews].append(fetched)

    ratios = sorted(with_ / without for with_, without in zip(p99[True], p99[False], strict=True))
    return Figures(
        name="tokens",
        table=Table(
            (f"{THREADS} threads, {THREADS * calls:,} calls a round", "p99", "token requests"),
            [
                (
                    "with a renewal" if renews else "without",
                    f"{sorted(p99[renews])[rounds // 2] * 1e6:,.1f} µs",
                    f"{max(requests[renews])}",
                )
                for renews in (False, True)
            ],
        ),
        goals=[
            Goal(
                what="p99 of taking a token, with a renewal against without",
                most=1.1,
                value=ratios[rounds // 2],
            ),
            Goal(what="token requests of a renewal", most=1, value=max(requests[True])),
        ],
    )
