"""TokenService: one request, whatever asks for a token."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cachelib import SimpleCache

from spayon_flask import GatewayUnavailableError
from spayon_flask.client.token_cache import PAUSE, CachedToken
from spayon_flask.client.tokens import RETRY_AFTER, Token, TokenService
from spayon_flask.domain.redaction import Hidden
from tests.errors import frames_of


class Gateway:
    """Give out numbered tokens, and count them; `hold` makes it wait until it is set."""

    def __init__(self, expires_in: float = 3600) -> None:
        self.expires_in = expires_in
        self.requests = 0
        self.away = False
        self.asked = threading.Event()
        self.hold: threading.Event | None = None

    def __call__(self) -> Token:
        self.requests += 1
        number = self.requests
        self.asked.set()

        if self.hold is not None:
            assert self.hold.wait(10)

        if self.away:
            raise GatewayUnavailableError("away")

        return Token(f"token-{number}", self.expires_in)


class Seconds:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Line:
    """A lock that knows how many have come to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._come = threading.Semaphore(0)

    def acquire(self, *, timeout: float) -> bool:
        self._come.release()
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()

    def wait_for(self, count: int) -> None:
        """Return when *count* threads hold the lock or wait for it."""
        for _ in range(count):
            assert self._come.acquire(timeout=10)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def tokens(gateway: Gateway, clock: Seconds) -> TokenService:
    return TokenService(gateway, clock=clock)


def at_once(count: int, work: Callable[[], str]) -> list[str]:
    """Return what *work* returns in *count* threads that begin together."""
    barrier = threading.Barrier(count)

    def begin() -> str:
        barrier.wait(10)
        return work()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(begin) for _ in range(count)]]


def test_one_token_serves_for_the_hour(
    tokens: TokenService, gateway: Gateway, clock: Seconds
) -> None:
    for clock.now in range(0, 3300, 100):
        assert tokens.get() == "token-1"

    assert gateway.requests == 1


def test_a_token_is_renewed_ahead_of_its_end(tokens: TokenService, clock: Seconds) -> None:
    tokens.get()
    clock.now = 3301

    assert tokens.get() == "token-2"


def test_a_short_life_is_honoured(clock: Seconds) -> None:
    tokens = TokenService(Gateway(expires_in=10), clock=clock)
    tokens.get()
    clock.now = 8.9
    before = tokens.get()
    clock.now = 9.1

    assert (before, tokens.get()) == ("token-1", "token-2")


def test_concurrent_first_calls_make_one_request(tokens: TokenService, gateway: Gateway) -> None:
    assert set(at_once(32, tokens.get)) == {"token-1"}
    assert gateway.requests == 1


def test_concurrent_first_calls_share_one_failure_and_a_later_one_asks_again(
    tokens: TokenService, gateway: Gateway
) -> None:
    gateway.away = True
    gateway.hold = threading.Event()
    tokens._fetching = line = Line()  # type: ignore[assignment]  # a stand-in

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(tokens.get)
        assert gateway.asked.wait(10)
        waiting = [pool.submit(tokens.get) for _ in range(7)]
        line.wait_for(8)
        gateway.hold.set()

        for future in [first, *waiting]:
            with pytest.raises(GatewayUnavailableError):
                future.result(10)

    assert gateway.requests == 1

    gateway.away = False
    assert tokens.get() == "token-2"


def test_while_one_thread_renews_the_others_go_on_with_the_valid_token(
    tokens: TokenService, gateway: Gateway, clock: Seconds
) -> None:
    tokens.get()
    clock.now = 3400
    gateway.hold = threading.Event()
    gateway.asked.clear()

    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(tokens.get)
        assert gateway.asked.wait(10)

        assert [tokens.get() for _ in range(10)] == ["token-1"] * 10

        gateway.hold.set()
        assert renewing.result(10) == "token-2"

    assert gateway.requests == 2


def test_a_failed_renewal_leaves_the_valid_token_and_is_not_repeated_at_once(
    tokens: TokenService, gateway: Gateway, clock: Seconds
) -> None:
    tokens.get()
    clock.now = 3400
    gateway.away = True

    assert [tokens.get() for _ in range(10)] == ["token-1"] * 10
    assert gateway.requests == 2

    gateway.away = False
    clock.now += RETRY_AFTER

    assert tokens.get() == "token-3"


def test_an_expired_token_is_not_handed_out(
    tokens: TokenService, gateway: Gateway, clock: Seconds
) -> None:
    tokens.get()
    clock.now = 3601
    gateway.away = True

    with pytest.raises(GatewayUnavailableError):
        tokens.get()


def test_a_refused_token_is_dropped_but_not_the_next_one(
    tokens: TokenService, gateway: Gateway
) -> None:
    old = tokens.get()
    tokens.drop(old)
    tokens.get()

    tokens.drop(old)

    assert tokens.get() == "token-2"
    assert gateway.requests == 2


def test_no_token_shows_in_a_repr(tokens: TokenService) -> None:
    tokens.get()

    assert "token-1" not in repr(tokens) + repr(Token("token-1", 3600)) + repr(vars(tokens))


def test_a_fork_in_the_middle_of_a_request_does_not_block_the_child(
    tokens: TokenService, gateway: Gateway
) -> None:
    gateway.hold = threading.Event()

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(tokens.get)
        assert gateway.asked.wait(10)
        gateway_of_child = gateway
        pid = os.fork()

        if pid == 0:
            gateway_of_child.hold = None
            os._exit(0 if tokens.get() == "token-2" else 1)

        _, status = os.waitpid(pid, 0)
        gateway.hold.set()
        asking.result(10)

    assert os.waitstatus_to_exitcode(status) == 0


class TestSharedCache:
    """With TOKEN_CACHE, one token serves every process."""

    def test_concurrent_services_make_one_request(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        services = iter([TokenService(gateway, cache=cache) for _ in range(16)])

        assert set(at_once(16, lambda: next(services).get())) == {"token-1"}
        assert gateway.requests == 1

    def test_a_cache_is_given_plain_text(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        tokens = TokenService(lambda: Token(Hidden("token"), 3600), cache=cache, cache_key="key")
        tokens.get()

        # Another host may run a version that cannot unpickle a class of ours.
        assert [type(value) for value in cache.get("key")] == [str, int, float]

    def test_a_token_that_was_shared_meanwhile_is_taken(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        late = CachedToken(cache, "key")
        adding = cache.add

        def share_first(*args: Any, **options: Any) -> Any:
            # Another process has looked, asked and shared between our look and our lock.
            cache.add = adding  # type: ignore[method-assign]  # as it was
            CachedToken(cache, "key").obtain(gateway, wait=True)
            return cache.add(*args, **options)

        cache.add = share_first  # type: ignore[method-assign]  # a stand-in

        token, _ = late.obtain(gateway, wait=True) or ("", 0)
        assert token == "token-1"
        assert gateway.requests == 1
        assert not cache.has("key:lock")

    def test_a_refused_token_is_dropped_for_all_but_not_the_next_one(
        self, gateway: Gateway
    ) -> None:
        cache = SimpleCache()
        first, second = (TokenService(gateway, cache=cache) for _ in range(2))
        old = first.get()
        first.drop(old)
        first.get()
        second.drop(old)

        assert TokenService(gateway, cache=cache).get() == "token-2"

    def test_a_token_dropped_while_another_process_renews_it_does_no_harm(
        self, gateway: Gateway, clock: Seconds
    ) -> None:
        cache = SimpleCache()
        tokens = TokenService(gateway, clock=clock, cache=cache, cache_key="key")
        old = tokens.get()
        clock.now = 3400
        cache.delete("key")
        cache.add("key:lock", 1)
        adding = cache.add

        def drop_meanwhile(*args: Any, **options: Any) -> Any:
            tokens.drop(old)
            return adding(*args, **options)

        cache.add = drop_meanwhile  # type: ignore[method-assign]  # a stand-in

        assert tokens.get() == old

    def test_a_stranger_in_the_cache_is_not_taken_for_a_token(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        cache.set("key", {"not": "ours"})

        assert TokenService(gateway, cache=cache, cache_key="key").get() == "token-1"

    def test_each_key_has_a_token_of_its_own(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        keys = [TokenService(gateway, cache=cache, cache_key=key).get() for key in ("a", "b")]

        assert keys == ["token-1", "token-2"]


class Silent(SimpleCache):
    """A cache whose client gives up after a time-out of its own, until it is told to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = False
        self.calls = 0

    def get(self, key: str) -> Any:
        self.calls += 1

        if not self.answers:
            raise TimeoutError("redis://user:hush@cache")

        return super().get(key)


def test_a_cache_that_does_not_answer_is_left_alone_for_a_minute(
    gateway: Gateway, clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Silent()
    cached = CachedToken(cache, "key", clock=clock)

    def obtain() -> str:
        return (cached.obtain(gateway, wait=1.0) or ("", 0))[0]

    assert [obtain(), obtain()] == ["token-1", "token-2"]
    cached.drop("token-2")
    assert cache.calls == 1
    (record,) = caplog.records
    assert record.getMessage() == (
        "TOKEN_CACHE failed (TimeoutError) in get; going on without it for 60 s"
    )
    assert "hush" not in caplog.text

    cache.answers = True
    clock.now += PAUSE
    assert [obtain() for _ in range(3)] == ["token-3"] * 3


def test_who_may_wait_for_a_short_time_only_gets_no_token_that_takes_longer() -> None:
    asked, go_on = threading.Event(), threading.Event()
    limits: list[float] = []

    def fetch(within: float | None = None) -> Token:
        limits.append(within or 0.0)
        asked.set()
        assert go_on.wait(30)
        return Token("token-1", 3600)

    tokens = TokenService(fetch)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(tokens.get)
        assert asked.wait(30)

        with pytest.raises(GatewayUnavailableError, match="still waits for a token"):
            tokens.get(within=0.01)

        go_on.set()
        assert first.result() == tokens.get(within=0.01) == "token-1"

    tokens.drop("token-1")
    tokens.get(within=2.0)
    assert limits == [0.0, 2.0]


def test_no_local_variable_of_ours_shows_a_token() -> None:
    class Failing(SimpleCache):
        def set(self, key: str, value: Any, timeout: Any = None) -> Any:
            raise KeyboardInterrupt

    tokens = TokenService(lambda: Token(Hidden("hush"), 3600), cache=Failing())

    with pytest.raises(KeyboardInterrupt) as caught:
        tokens.get()

    ours = frames_of(caught.value)
    assert len(ours) >= 4
    assert not [part for part in ours if "hush" in part]
