"""Log: what came in and what went out, the latest of it, numbered and counted."""

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

#: Requests remembered; the counts go on beyond them.
REQUESTS_KEPT = 20_000

#: Characters remembered of a body.
TEXT_KEPT = 4000

#: The endpoint of a request that the imitated API has no route for.
OTHER = "elsewhere"

HIDDEN = "(hidden)"

_NAME = "(?:[a-z]+_?)?(?:secret|password)|(?:(?:access|refresh|id)_?)?token|api_?key"

#: What is secret in any text: fields of that name in JSON and in a form, credentials, a JWT.
SECRETS = [
    (re.compile(rf'("(?:{_NAME})"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE), rf'\1"{HIDDEN}"'),
    (re.compile(rf"((?:^|[&?\s])(?:{_NAME})=)[^&\s]*", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(Bearer\s+|^Basic\s+)[^\s\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
]
#: Headers whose value is secret, but for a first word such as Bearer.
SECRET_HEADER = re.compile("auth|cookie|secret|token|api-?key", re.IGNORECASE)

Headers = tuple[tuple[str, str], ...]


class Entry(Protocol):
    """What a log keeps: it has a number, and may belong to a payment session."""

    @property
    def number(self) -> int:
        """Return the number that `Log.number` gave out for the entry."""

    @property
    def session_id(self) -> str | None:
        """Return the payment session that the entry is about, None if there is none."""


Kept = TypeVar("Kept", bound=Entry)


class Log(Generic[Kept]):
    """Remember the latest *kept* entries, oldest first, and count all of them."""

    def __init__(self, kept: int) -> None:
        #: How many entries were added, forgotten ones among them.
        self.total = 0
        self._kept = kept
        self._entries: OrderedDict[int, Kept] = OrderedDict()
        self._by_session: dict[str, list[Kept]] = {}
        self._last = 0
        #: Numbers of entries that have changed since `take_changed`; None if nobody asks.
        self._changed: set[int] | None = None
        self._lock = threading.RLock()

    def __iter__(self) -> Iterator[Kept]:
        with self._lock:
            return iter(list(self._entries.values()))

    def number(self) -> int:
        """Return the number for the next entry."""
        with self._lock:
            self._last += 1
            return self._last

    def add(self, entry: Kept) -> None:
        """Remember *entry*, at the expense of the oldest one if there are too many."""
        with self._lock:
            self._entries[entry.number] = entry
            if entry.session_id is not None:
                self._by_session.setdefault(entry.session_id, []).append(entry)

            self._last = max(self._last, entry.number)
            self.total += 1
            self.touch(entry.number)
            if len(self._entries) > self._kept:
                _, old = self._entries.popitem(last=False)
                self._forget(old)

    def touch(self, number: int) -> None:
        """Note that the entry with *number* has changed."""
        with self._lock:
            if self._changed is not None:
                self._changed.add(number)

    def take_changed(self) -> list[Kept]:
        """Return the entries that were added or changed since the last call.

        The first call returns nothing, and has changes noted from then on.
        """
        with self._lock:
            numbers, self._changed = self._changed or (), set()
            return [self._entries[each] for each in sorted(numbers) if each in self._entries]

    def newest(self) -> Iterator[Kept]:
        """Return the remembered entries, newest first."""
        with self._lock:
            return reversed(list(self._entries.values()))

    def find(self, number: int) -> Kept | None:
        """Return the entry with *number*, None if it was forgotten or never there."""
        return self._entries.get(number)

    def of(self, session_id: str) -> list[Kept]:
        """Return the remembered entries of a session, oldest first."""
        with self._lock:
            return list(self._by_session.get(session_id, ()))

    def reset(self) -> None:
        """Forget every entry, and count anew."""
        with self._lock:
            self._entries.clear()
            self._by_session.clear()
            self._last = self.total = 0

    def _forget(self, old: Kept) -> None:
        entries = self._by_session.get(old.session_id or "", [])
        if old in entries:
            entries.remove(old)

        if not entries:
            self._by_session.pop(old.session_id or "", None)


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
    #: In what the request is not as Spayon's documentation has it, in words.
    remark: str = ""
    headers: Headers = ()
    answer_headers: Headers = ()

    @property
    def text(self) -> str:
        """Return all of the request and its answer that a person may look for."""
        return f"{self.path}\n{self.body}\n{self.answer}".lower()


class RequestLog(Log[ApiRequest]):
    """Remember the latest requests without their secrets, and count them by endpoint."""

    def __init__(self, secrets: Callable[[], tuple[str, ...]]) -> None:
        super().__init__(REQUESTS_KEPT)
        self._secrets = secrets
        self._counts: Counter[str] = Counter()
        #: Every code that was answered, as text; "none" for no answer.
        self.codes: set[str] = set()
        self._connections: Callable[[], int] = lambda: 0

    @property
    def counts(self) -> dict[str, int]:
        """Return how often each endpoint was called, `POST /api/tokens` for one."""
        with self._lock:
            return dict(self._counts)

    @property
    def connections(self) -> int:
        """Return how many TCP connections were accepted, by the API and the pages."""
        return self._connections()

    def count(self, endpoint: str | None = None) -> int:
        """Return how often *endpoint* was called, `POST /api/tokens` for one; `None` for all."""
        with self._lock:
            return sum(self._counts.values()) if endpoint is None else self._counts[endpoint]

    def add(self, entry: ApiRequest) -> None:
        """Remember and count *entry*."""
        with self._lock:
            super().add(entry)
            self._counts[entry.endpoint] += 1
            self.codes.add(str(entry.status_code or "none"))

    def reset(self) -> None:
        """Forget requests and counts, as before a test's own part begins."""
        with self._lock:
            super().reset()
            self._counts.clear()
            self.codes.clear()

    def watch(self, connections: Callable[[], int]) -> None:
        """Take the number of accepted connections from *connections*."""
        self._connections = connections

    def hide(self, text: str) -> str:
        """Return the beginning of *text* with every secret and token taken out."""
        for pattern, shown in SECRETS:
            text = pattern.sub(shown, text)

        for secret in self._secrets():
            text = text.replace(secret, HIDDEN)

        return text if len(text) <= TEXT_KEPT else f"{text[:TEXT_KEPT]}..."

    def hide_headers(self, headers: Iterable[tuple[str, str]]) -> Headers:
        """Return *headers* without their secrets; of `Bearer abc` the first word is kept."""
        shown = []
        for name, value in headers:
            if SECRET_HEADER.search(name):
                scheme, _, rest = value.partition(" ")
                value = f"{scheme} {HIDDEN}" if rest and scheme.isalpha() else HIDDEN  # noqa: PLW2901

            shown.append((name, self.hide(value)))

        return tuple(shown)
