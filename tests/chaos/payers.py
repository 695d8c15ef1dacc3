"""Payers: what people do with one order, decided by the seed and the number of the order."""

from __future__ import annotations

import http.client
import random
from collections import Counter
from contextlib import suppress
from urllib.parse import parse_qs
from urllib.parse import urlsplit

from spayon_flask.simulator import SessionOverError
from spayon_flask.simulator import Simulator


#: How often a checkout is tried before the payer goes away.
TRIES = 6

#: What a payer does on the hosted page, and how often.
ENDINGS = {
    "pays": 68,
    "pays, and the callback comes four times at once": 12,
    "is declined": 6,
    "is declined, and is paid after all": 5,
    "lets it expire": 4,
    "is paid after it expired": 3,
    "goes away": 2,
}

#: Gateway faults, each with its chance.
FAULTS = (
    ("error", "sessions", 0.03),
    ("drop_before", "sessions", 0.02),
    ("drop_after", "sessions", 0.03),
    ("truncated", "sessions", 0.02),
    ("html", "sessions", 0.01),
    ("callback_before_answer", "sessions", 0.02),
    ("error", "status", 0.1),
    ("drop_before", "status", 0.05),
    ("html", "status", 0.02),
    ("error", "tokens", 0.1),
    ("callback_lost", None, 0.1),
    ("callback_duplicated", None, 0.1),
    ("callback_reordered", None, 0.1),
    ("callback_late", None, 0.05),
)


class Payers:
    """Send payers to the shop on *port*, who pay at *gateway*; *seed* decides what they do.

    *seen* counts what happened to them.
    """

    def __init__(self, gateway: Simulator, port: int, seed: int) -> None:
        self.seen: Counter[str] = Counter()
        self._gateway = gateway
        self._port = port
        self._seed = seed

    def arm(self) -> None:
        """Let the gateway fail from now on."""
        for kind, endpoint, chance in FAULTS:
            self._gateway.fault(kind, on=endpoint, times=None, chance=chance, seconds=90.0)

    def go(self, number: int) -> None:
        """Order, check out, pay or not, and perhaps come back to the return page."""
        luck = random.Random(f"{self._seed}/{number}")
        ending = luck.choices(list(ENDINGS), list(ENDINGS.values()))[0]

        for _ in range(TRIES):
            location = self._ask("POST", f"/pay/checkout/O{number}")

            if location is not None:
                break

            self.seen["checkout failed"] += 1

        else:
            self.seen["gave up"] += 1
            return

        if "/pay/return" in location:
            self.seen["was paid before the answer"] += 1
            session_id = parse_qs(urlsplit(location).query)["session_id"][0]

        else:
            session_id = location.rpartition("/")[2]

            if luck.random() < 0.1:
                again = self._ask("POST", f"/pay/checkout/O{number}")
                self.seen["two tabs, one session"] += again == location

            self.seen[ending] += 1
            self._end(session_id, ending)

        if luck.random() < 0.3:
            self._ask("GET", f"/pay/return?session_id={session_id}")

    def _end(self, session_id: str, ending: str) -> None:
        gateway = self._gateway

        with suppress(SessionOverError):
            if ending.startswith("pays"):
                gateway.pay(session_id, wait=False)

            if ending.endswith("at once"):
                gateway.deliver(session_id, times=4, concurrently=True)

            if ending.startswith("is declined"):
                gateway.decline(session_id, wait=False)

            if ending in {"lets it expire", "is paid after it expired"}:
                gateway.expire(session_id, wait=False)

            if ending in {"is declined, and is paid after all", "is paid after it expired"}:
                gateway.pay(session_id, late=True, wait=False)

    def _ask(self, method: str, path: str) -> str | None:
        """Return where the shop sends the payer, None where it failed or died."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)

        try:
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            return answer.getheader("Location") if answer.status == 303 else None

        except (OSError, http.client.HTTPException):
            return None

        finally:
            connection.close()
