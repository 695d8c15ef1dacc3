"""Every outage of the table, in front of real servers: what is seen, and how soon."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import make_url

from tests.caches import JsonCache
from tests.databases import Databases
from tests.gateway import Gateway, Says
from tests.kept import dispose
from tests.needs import missing
from tests.outages.proxy import SLOWNESS, Proxy
from tests.reports import report
from tests.shop import Shop, make_shop

REDIS = os.environ.get("SPAYON_TESTS_REDIS", "redis://127.0.0.1:6379/15")
TABLE = Path(__file__).with_name("outages.md")
PARTS = ("checkout", "callback", "return page", "reconcile", "doctor", "dispatcher")

#: The letters of the table: the time-outs to connect to Spayon, to read from it, of Redis (all of
#: them shorter than the defaults), and what a slow server adds to each answer.
SECONDS = {"C": 0.5, "R": 1.0, "Q": 0.8, "L": SLOWNESS}

#: What a busy machine may add.
SLACK = 6.0

#: A part that is still waiting after so many seconds waits for as long as the outage lasts.
WAITING = 4.0

#: The check of the doctor that looks at each server.
CHECKS = {
    "database": "database",
    "gateway": "credentials",
    "Redis": "token cache",
    "queue": "dispatcher",
}


class Outages:
    """A shop whose four servers stand behind a proxy each, and the same shop without proxies."""

    def __init__(self, stack: ExitStack, database: str, gateway: Gateway) -> None:
        url = make_url(database)
        cache = urlsplit(REDIS)
        self.proxies = {
            "database": stack.enter_context(Proxy("127.0.0.1", url.port or 5432)),
            "gateway": stack.enter_context(Proxy("127.0.0.1", urlsplit(gateway.url).port or 0)),
            "Redis": stack.enter_context(Proxy("127.0.0.1", cache.port or 6379)),
            "queue": stack.enter_context(Proxy("127.0.0.1", cache.port or 6379)),
        }
        self.name = f"spayon-outages-{uuid4().hex}"
        self.direct = make_shop(database, SPAYON_API_URL=gateway.url)
        self.queue = redis.Redis.from_url(REDIS)
        self._url = url
        self.shop = self._behind_proxies()
        stack.callback(self._close)

    def _behind_proxies(self) -> Shop:
        client = self._redis("Redis")
        proxied = self._url.set(host="127.0.0.1", port=self.proxies["database"].port)
        shop = make_shop(
            proxied.render_as_string(hide_password=False),
            fresh=False,
            SPAYON_API_URL=f"http://127.0.0.1:{self.proxies['gateway'].port}",
            SPAYON_PUBLIC_URL=None,
            SPAYON_TIMEOUT=(SECONDS["C"], SECONDS["R"]),
            SPAYON_TOKEN_CACHE=JsonCache(client, key_prefix=self.name),
            SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"connect_timeout": 2}},
        )
        self.tokens = shop.app.extensions["spayon"]["spayon"].client.tokens
        jobs = self._redis("queue")

        @shop.spayon.dispatcher
        def put(callback_id: int) -> None:
            jobs.rpush(self.name, callback_id)

        return shop

    def _redis(self, server: str) -> Any:
        """Return a client as the recipes of the docs make it."""
        return redis.Redis(
            port=self.proxies[server].port,
            db=15,
            socket_timeout=SECONDS["Q"],
            socket_connect_timeout=SECONDS["Q"],
            retry=Retry(NoBackoff(), 0),
        )

    def _close(self) -> None:
        for proxy in self.proxies.values():
            proxy.mode = "up"

        dispose(self.shop)
        dispose(self.direct)
        self.queue.delete(self.name)
        self.queue.close()

    def prepare(self) -> str:
        """Return the number of a new order, in a shop whose connections are open."""
        number = uuid4().hex[:12]
        self.direct.add_order(f"A{number}")
        self.direct.add_order(f"B{number}")
        self.direct.add_payment(f"S{number}", f"A{number}", gateway=self.shop.gateway)

        # A shop anew, for what a process remembers of an outage. Its connections are open.
        dispose(self.shop)
        self.shop = self._behind_proxies()

        with self.shop.app.app_context():
            self.shop.spayon.state.storage.inspection.ping()

        return number

    # What each part does; each returns what is seen of it.

    def checkout(self, number: str) -> str:
        values = {"email": "ani@example.com", "full_name": "Ani"}
        return str(
            self.shop.app.test_client().post(f"/pay/checkout/B{number}", data=values).status_code
        )

    def callback(self, number: str) -> str:
        return str(self.shop.deliver(report(f"S{number}", orderId=f"A{number}")))

    def return_page(self, number: str) -> str:
        page = self.shop.app.test_client().get(
            "/pay/return", query_string={"session_id": f"S{number}"}
        )
        return str(page.status_code)

    def reconcile(self, _: str) -> str:
        result = self.shop.app.test_cli_runner().invoke(args=["spayon", "reconcile"])
        return f"exit {result.exit_code}"

    def doctor(self, server: str) -> str:
        result = self.shop.app.test_cli_runner().invoke(args=["spayon", "doctor", "--json"])
        findings = json.loads(result.stdout)["findings"]
        return next(str(each["state"]) for each in findings if each["check"] == CHECKS[server])

    def dispatcher(self, number: str) -> str:
        self.queue.delete(self.name)
        answer = self.shop.deliver(report(f"S{number}", orderId=f"A{number}"))

        if answer != 200:
            return "nothing to hand over"

        return "handed over" if self.queue.llen(self.name) else "by reconcile"


@pytest.fixture(scope="module")
def outages(worker_id: str) -> Iterator[Outages]:
    """The shop and its servers, all of them real."""
    try:
        redis.Redis.from_url(REDIS).ping()

    except redis.ConnectionError:
        missing("a Redis server")

    made = Databases(Path("/nonexistent"), f"spayon_outages_{worker_id}")

    with ExitStack() as stack:
        stack.callback(made.close)
        gateway = stack.enter_context(Gateway())
        gateway.statuses = lambda each: Says(report(each, "pending", orderId=f"A{each[1:]}"))
        gateway.creations = lambda _: _created(gateway)
        yield Outages(stack, made.url("postgresql"), gateway)


def _created(gateway: Gateway) -> Says:
    session_id = uuid4().hex
    url = f"{gateway.url}/pay/{session_id}"
    return Says(json.dumps({"session_id": session_id, "session_url": url}).encode())


def documented() -> list[tuple[str, str, str, str, float | None]]:
    """Return each cell of the table: server, outage, part, what is seen, seconds at most.

    None stands for as long as the outage lasts.
    """
    cells = []

    for line in TABLE.read_text().splitlines():
        columns = [each.strip() for each in line.strip("|").split("|")]

        if line.startswith("|") and len(columns) == 8 and columns[0] in CHECKS:
            for part, cell in zip(PARTS, columns[2:], strict=True):
                seen, _, bound = cell.rpartition(", ")
                cells.append((columns[0], columns[1], part, seen, _seconds(bound)))

    return cells


def _seconds(bound: str) -> float | None:
    if bound == "waits":
        return None

    if bound == "at once":
        return 0.0

    found = re.fullmatch(r"(?:(\d+) )?([CRQL])|(\d+) s", bound)
    assert found is not None, bound
    return float(found[3]) if found[3] else int(found[1] or 1) * SECONDS[found[2]]


def test_every_outage_stands_in_the_table() -> None:
    assert {(server, how) for server, how, *_ in documented()} == {
        (server, how) for server in CHECKS for how in ("refused", "hanging", "slow", "cut")
    }


@pytest.mark.thorough
@pytest.mark.parametrize(("server", "how", "part", "seen", "seconds"), documented())
def test_an_outage_is_as_the_table_says(
    outages: Outages, server: str, how: str, part: str, seen: str, seconds: float | None
) -> None:
    number = outages.prepare()
    about = server if part == "doctor" else number
    outages.tokens._held = None
    outages.queue.delete(*(outages.queue.keys(f"{outages.name}*") or ["none"]))
    do: Callable[[str], str] = getattr(outages, part.replace(" ", "_"))
    proxy = outages.proxies[server]
    proxy.mode = how
    found: list[str] = []
    began = time.monotonic()

    try:
        if seconds is None:
            waiting = Thread(target=lambda: found.append(do(about)))
            waiting.start()
            waiting.join(WAITING)
            assert waiting.is_alive(), f"{found} after {time.monotonic() - began:.1f} s"
            # And when the outage is over, all goes on.
            proxy.mode = "up"
            waiting.join(30)
            assert found == [seen]
            return

        found.append(do(about))
        took = time.monotonic() - began

    finally:
        proxy.mode = "up"
        dispose(outages.shop)

    assert (found, took <= seconds + SLACK) == ([seen], True), f"{took:.1f} s"
