"""The requests that came in, with the secrets taken out."""

import re
import threading
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime


#: Requests remembered; the counts go on beyond them.
KEPT = 1000

#: Characters remembered of a body.
TEXT_KEPT = 4000

HIDDEN = "(hidden)"
SECRET = re.compile(r'("(?:client_secret|access_token)"\s*:\s*)"(?:[^"\\]|\\.)*"?')
BEARER = re.compile(r"(Bearer\s+)\S+", re.IGNORECASE)


@dataclass(frozen=True)
class ApiRequest:
    """A request to the imitated API and its answer, fit to be shown."""

    number: int
    at: datetime
    endpoint: str
    method: str
    path: str
    authorization: str
    body: str
    status_code: int | None
    answer: str
    seconds: float
    fault: str | None = None
    session_id: str | None = None


class Requests:
    """Remember the latest requests, newest last, and count them all."""

    def __init__(self, secrets: Callable[[], tuple[str, ...]]) -> None:
        self._secrets = secrets
        self._kept: deque[ApiRequest] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        #: How many requests there were, whatever was forgotten since.
        self.total = 0
        self._last = 0
        self._lock = threading.Lock()
        self._connections: Callable[[], int] = lambda: 0

    def __iter__(self) -> Iterator[ApiRequest]:
        with self._lock:
            return iter(list(self._kept))

    @property
    def counts(self) -> dict[str, int]:
        """Return how often each endpoint was called, `POST /api/tokens` for one."""
        with self._lock:
            return dict(self._counts)

    @property
    def connections(self) -> int:
        """Return how many TCP connections were accepted, for whatever was asked over them."""
        return self._connections()

    def count(self, endpoint: str | None = None) -> int:
        """Return how often *endpoint* was called, `POST /api/tokens` for one; `None` for all."""
        with self._lock:
            return sum(self._counts.values()) if endpoint is None else self._counts[endpoint]

    def find(self, number: int) -> ApiRequest | None:
        """Return the request with *number*, as long as it is remembered."""
        return next((request for request in self if request.number == number), None)

    def reset(self) -> None:
        """Forget requests and counts, as before a test's own part begins."""
        with self._lock:
            self._kept.clear()
            self._counts.clear()

    def watch(self, connections: Callable[[], int]) -> None:
        """Take the number of accepted connections from *connections*."""
        self._connections = connections

    def number(self) -> int:
        """Return the number for the next request."""
        with self._lock:
            self._last += 1
            return self._last

    def add(self, request: ApiRequest) -> None:
        """Remember *request*."""
        with self._lock:
            self._kept.append(request)
            self._counts[request.endpoint] += 1
            self.total += 1
            self._last = max(self._last, request.number)

    def hide(self, text: str) -> str:
        """Return the beginning of *text* with every secret and token taken out."""
        text = BEARER.sub(rf"\1{HIDDEN}", SECRET.sub(rf'\1"{HIDDEN}"', text))
        for secret in self._secrets():
            text = text.replace(secret, HIDDEN)

        return text if len(text) <= TEXT_KEPT else f"{text[:TEXT_KEPT]}..."
