"""Payers: what people do with one order, decided by the seed and the number of the order."""

import http.client
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from spayon_flask.simulator import SessionOverError, Simulator

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


#: Who opens orders of others, with a `Host` of his own.
STRANGER = "evil.example"

#: How often a stranger opens an order before its payer does, and how often once more after that.
STRANGER_COMES, STRANGER_COMES_AGAIN = 0.1, 0.05

#: How often the shop changes an order whose payer is on the hosted page already.
CHANGES = 0.1

#: How often the shop has closed an order before its payer comes, and how often it does so then.
CLOSED_BEFORE, CLOSED_AFTER = 0.03, 0.03


class Payers:
    """Send payers to the shop on *port*, who pay at *gateway*; *seed* decides what they do.

    *change* makes the shop ask for another price for the order with a number, and *close* closes
    the order. *seen* counts what happened to payers. *closed* are the orders that nobody could pay.
    *misdirected* are the payment sessions that a payer was sent to, and whose URLs are not the
    shop's. *outdated* are those that were paid at a price which a newer payment session had
    replaced.
    """

    def __init__(
        self,
        gateway: Simulator,
        port: int,
        seed: int,
        change: Callable[[int], object],
        close: Callable[[int], object],
    ) -> None:
        self.seen: Counter[str] = Counter()
        self.misdirected: set[str] = set()
        self.outdated: set[str] = set()
        self.closed: set[str] = set()
        self._change = change
        self._close = close
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

        if luck.random() < CLOSED_BEFORE:
            self._close(number)
            self.closed.add(f"O{number}")
            self.seen["the order was closed before"] += 1

        if luck.random() < STRANGER_COMES:
            self._ask("POST", f"/pay/checkout/O{number}", host=STRANGER)
            self.seen["a stranger came first"] += 1

        location = self._check_out(number)

        if location is None:
            self.seen["gave up"] += 1
            return

        session_id = _session_in(location)

        if _is_paid_already(location):
            self.seen["was paid before the answer"] += 1

        else:
            if luck.random() < 0.1:
                again = self._ask("POST", f"/pay/checkout/O{number}")
                self.seen["two tabs, one session"] += again == location

            if luck.random() < STRANGER_COMES_AGAIN:
                self._ask("POST", f"/pay/checkout/O{number}", host=STRANGER)
                self.seen["a stranger came after"] += 1

            if luck.random() < CHANGES:
                session_id = self._change_order(number, session_id, luck)

            if luck.random() < CLOSED_AFTER:
                self._close(number)
                self.seen["the order was closed after"] += 1

            self.seen[ending] += 1
            self._end(session_id, ending)

        if luck.random() < 0.3:
            self._ask("GET", f"/pay/return?session_id={session_id}")

    def _check_out(self, number: int) -> str | None:
        """Return where the shop sends the payer of an order, None if the payer gave up."""
        for _ in range(TRIES):
            location = self._ask("POST", f"/pay/checkout/O{number}")

            if location is not None:
                self._check_links(location)
                return location

            self.seen["checkout failed"] += 1

        return None

    def _check_links(self, location: str) -> None:
        """Note a payment session by which the payer or the callback would go elsewhere."""
        # The gateway can be told to have a session paid before anybody knows it: a stranger's, too.
        if _is_paid_already(location):
            return

        session = self._gateway.sessions.get(_session_in(location))

        if session is not None:
            links = (session.creation.callback_url, session.creation.return_url)

            if any(urlsplit(each or "").netloc != f"127.0.0.1:{self._port}" for each in links):
                self.misdirected.add(session.id)

    def _change_order(self, number: int, session_id: str, luck: random.Random) -> str:
        """Change the order, check out anew, and return the payment session that is paid."""
        self._change(number)
        self.seen["the order changed"] += 1
        location = self._check_out(number)

        if location is None or _is_paid_already(location) or _session_in(location) == session_id:
            return session_id

        # Two tabs are open now, of which the payer takes either.
        if luck.random() < 0.5:
            return _session_in(location)

        self.outdated.add(session_id)
        self.seen["the old tab was taken"] += 1
        return session_id

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

    def _ask(self, method: str, path: str, *, host: str | None = None) -> str | None:
        """Return where the shop sends the payer, None if it failed or died."""
        headers = {} if host is None else {"Host": host}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)

        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.getheader("Location") if answer.status == 303 else None

        except (OSError, http.client.HTTPException):
            return None

        finally:
            connection.close()


def _is_paid_already(location: str) -> bool:
    """Return True if a location is a page of the shop; an order without a key shows no session."""
    return any(page in location for page in ("/pay/return", "/pay/checkout"))


def _session_in(location: str) -> str:
    """Return the payment session that a location leads to: the hosted page, or the return page."""
    parts = urlsplit(location)
    found = parse_qs(parts.query).get("session_id")
    return found[0] if found else parts.path.rpartition("/")[2]
