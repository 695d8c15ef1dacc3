"""Run: many payments while everything fails, until everything has come to rest."""

import json
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from sqlalchemy import insert, text

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.transport import Answer, Post
from tests.chaos.app import TABLES, open_shop, second_database
from tests.chaos.ledger import Ledger, compare
from tests.chaos.payers import STRANGER, Payers
from tests.crashes.server import Server
from tests.interleavings.habits import close
from tests.interleavings.log import create_log
from tests.shop import Shop, make_shop

#: Payers at a time, threads of each worker, and payments between two events of the run.
AT_ONCE, THREADS, ROUND = 8, 3, 100

#: By how many seconds the time is moved on in each round; a session lives nine rounds.
STEP = 100

#: Redeliveries and status checks are over by then.
LAST_ROUNDS = 60


class Chaos:
    """A run of *payments* over *workers* on one database, with a *seed*."""

    def __init__(self, payments: int, workers: int, seed: int, database_url: str) -> None:
        self._payments = payments
        self._workers = workers
        self._seed = seed
        self._url = database_url
        self.kills = 0
        self.seen: Counter[str] = Counter()
        self.seconds = 0.0
        self._told: defaultdict[str, list[int]] = defaultdict(list)

    def run(self) -> Ledger:
        """Run, let everything come to rest, and compare."""
        self._create_tables()
        began = time.monotonic()

        with (
            TemporaryDirectory() as folder,
            Simulator(seed=self._seed, transport=self._carry) as gateway,
        ):
            clock = Path(folder) / "clock"
            shop = open_shop(self._url, clock, f"{self._seed}/own", SPAYON_API_URL=gateway.url)
            other = second_database(clock)

            with other.begin() as connection:
                connection.execute(text("CREATE TABLE shipped (id INTEGER)"))

            with self._serve(gateway, clock) as server:
                payers = Payers(
                    gateway,
                    server.port,
                    self._seed,
                    lambda each: _change(shop, each),
                    lambda each: close(shop, f"O{each}"),
                )
                payers.arm()
                self._pay(payers, gateway, server, shop)
                gateway.faults.clear()
                self._come_to_rest(gateway, shop)

            self.seen = payers.seen
            self.seconds = time.monotonic() - began
            ledger = compare(gateway, shop, self._told, payers, other)
            other.dispose()

        with shop.app.app_context():
            shop.db.engine.dispose()

        return ledger

    def _carry(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        # The stranger's own host: nobody is there, and nothing leaves this machine.
        if urlsplit(url).hostname == STRANGER:
            return Answer(None, b"")

        answer = Post(lambda: 10)(url, body, headers)
        report = json.loads(body)

        if report["status"] == "paid":
            self._told[report["sessionId"]].append(answer.status_code or 0)

        return answer

    def _create_tables(self) -> None:
        shop = make_shop(self._url)
        orders = [
            {"id": f"O{number}", "price": str(number % 50 + 10), "currency": "AMD", "paid_times": 0}
            for number in range(self._payments)
        ]

        with shop.app.app_context():
            for statement in TABLES:
                shop.db.session.execute(text(statement))

            shop.db.session.execute(insert(shop.orders), orders)
            shop.db.session.commit()

            with shop.db.engine.begin() as connection:
                create_log(connection)

            shop.db.engine.dispose()

    @contextmanager
    def _serve(self, gateway: Simulator, clock: Path) -> Iterator[Server]:
        server = Server("tests.chaos.app:create_app()", self._workers, threads=THREADS)
        server.environment |= {
            "SPAYON_CHAOS_DATABASE": self._url,
            "SPAYON_CHAOS_CLOCK": str(clock),
            "SPAYON_CHAOS_SEED": str(self._seed),
            "SPAYON_CHAOS_GATEWAY": gateway.url,
        }

        with server:
            yield server

    def _pay(self, payers: Payers, gateway: Simulator, server: Server, shop: Shop) -> None:
        luck = random.Random(self._seed)

        with ThreadPoolExecutor(AT_ONCE) as pool, ThreadPoolExecutor(1) as aside:
            for first in range(0, self._payments, ROUND):
                numbers = range(first, min(first + ROUND, self._payments))
                reconciling = aside.submit(self._reconcile, shop)
                half = pool.map(payers.go, numbers[: ROUND // 2])
                self._kill(luck.choice(server.workers() or [0]))
                list(half)
                list(pool.map(payers.go, numbers[ROUND // 2 :]))
                reconciling.result()
                shop.clock.step(STEP)
                gateway.clock.step(STEP, settle=False)

    def _kill(self, pid: int) -> None:
        if pid:
            # It may have died just now by itself.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1

    def _come_to_rest(self, gateway: Simulator, shop: Shop) -> None:
        for number in range(LAST_ROUNDS):
            # First the redeliveries, then what reconcile puts off for longer and longer.
            step = 301 if number < 6 else 6 * 3600
            shop.clock.step(step)
            gateway.clock.step(step, settle=False)
            gateway.settle(120)
            self._reconcile(shop)

            if number >= 6 and self._is_at_rest(shop):
                return

    def _is_at_rest(self, shop: Shop) -> bool:
        waiting = text(
            "SELECT (SELECT COUNT(*) FROM spayon_payment WHERE due_at IS NOT NULL)"
            " + (SELECT COUNT(*) FROM spayon_callback WHERE dispatch_at IS NOT NULL)"
        )

        with shop.app.app_context():
            return not shop.db.session.execute(waiting).scalar_one()

    def _reconcile(self, shop: Shop) -> None:
        with shop.app.app_context():
            shop.spayon.reconcile()


def _change(shop: Shop, number: int) -> None:
    """Let the shop ask for more money for an order."""
    statement = text("UPDATE shop_order SET price = :price WHERE id = :id")

    with shop.app.app_context():
        shop.db.session.execute(statement, {"price": str(number % 50 + 1000), "id": f"O{number}"})
        shop.db.session.commit()
