"""TokenService: one request, whatever asks for a token."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cachelib import SimpleCache

from spayon_flask import GatewayUnavailableError
from spayon_flask.hidden import Hidden
from spayon_flask.token_cache import PAUSE
from spayon_flask.token_cache import CachedToken
from spayon_flask.tokens import RETRY_AFTER
from spayon_flask.tokens import Token
from spayon_flask.tokens import TokenService
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

    def __enter__(self) -> None:
        self._come.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
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


def test_concurrent_first_calls_share_one_failure(tokens: TokenService, gateway: Gateway) -> None:
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


def test_a_call_after_a_failure_asks_again(tokens: TokenService, gateway: Gateway) -> None:
    gateway.away = True

    with pytest.raises(GatewayUnavailableError):
        tokens.get()

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


def test_a_refused_token_is_dropped(tokens: TokenService) -> None:
    tokens.drop(tokens.get())

    assert tokens.get() == "token-2"


def test_a_late_refusal_does_not_drop_the_next_token(
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

    def test_two_services_share_one_token(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        first, second = (TokenService(gateway, cache=cache) for _ in range(2))

        assert (first.get(), second.get()) == ("token-1", "token-1")
        assert gateway.requests == 1

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
            CachedToken(cache, "key").obtain(gateway, margin=lambda _: 0, wait=True)
            return cache.add(*args, **options)

        cache.add = share_first  # type: ignore[method-assign]  # a stand-in

        token, _ = late.obtain(gateway, margin=lambda _: 0, wait=True) or ("", 0)
        assert token == "token-1"
        assert gateway.requests == 1
        assert not cache.has("key:lock")

    def test_a_refused_token_is_dropped_for_all(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        first, second = (TokenService(gateway, cache=cache) for _ in range(2))
        first.drop(first.get())

        assert second.get() == "token-2"

    def test_a_late_refusal_does_not_drop_the_next_shared_token(self, gateway: Gateway) -> None:
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

    def test_a_cache_that_fails_is_as_good_as_none(
        self, gateway: Gateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(SimpleCache):
            def get(self, key: str) -> None:
                raise ConnectionError("no route to redis://user:hush@cache")

            set = add = delete = get  # type: ignore[assignment]  # a stand-in

        tokens = TokenService(gateway, cache=Broken())  # type: ignore[arg-type]  # what is tested

        assert (tokens.get(), tokens.get()) == ("token-1", "token-1")
        assert "TOKEN_CACHE" in caplog.text
        assert "hush" not in caplog.text

    def test_a_stranger_in_the_cache_is_not_taken_for_a_token(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        cache.set("key", {"not": "ours"})

        assert TokenService(gateway, cache=cache, cache_key="key").get() == "token-1"

    def test_each_key_has_a_token_of_its_own(self, gateway: Gateway) -> None:
        cache = SimpleCache()
        keys = [TokenService(gateway, cache=cache, cache_key=key).get() for key in ("a", "b")]

        assert keys == ["token-1", "token-2"]


class Stuck(SimpleCache):
    """A cache that accepts calls and does not answer, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.calls = 0

    def get(self, key: str) -> Any:
        self.calls += 1
        assert self.let_go.wait(30)
        return super().get(key)


class TestAStuckCache:
    """A cache that accepts and does not answer costs little, and only now and then."""

    @pytest.fixture
    def cache(self) -> Iterator[Stuck]:
        cache = Stuck()
        yield cache
        cache.let_go.set()

    @pytest.fixture
    def cached(self, cache: Stuck, clock: Seconds) -> CachedToken:
        return CachedToken(cache, "key", clock=clock, patience=0.05)

    @staticmethod
    def obtain(cached: CachedToken, gateway: Gateway) -> str:
        token, _ = cached.obtain(gateway, margin=lambda _: 0, wait=True) or ("", 0)
        return token

    def test_it_is_as_good_as_none(self, cached: CachedToken, gateway: Gateway) -> None:
        assert self.obtain(cached, gateway) == "token-1"

    def test_it_is_left_alone_for_a_minute(
        self, cached: CachedToken, cache: Stuck, gateway: Gateway, clock: Seconds
    ) -> None:
        self.obtain(cached, gateway)
        clock.now += PAUSE - 1
        self.obtain(cached, gateway)
        cached.drop("token-2")

        assert cache.calls == 1

    def test_while_a_call_is_still_stuck_no_other_one_is_begun(
        self, cached: CachedToken, cache: Stuck, gateway: Gateway, clock: Seconds
    ) -> None:
        for _ in range(5):
            self.obtain(cached, gateway)
            clock.now += PAUSE

        assert cache.calls == 1

    def test_once_it_answers_again_it_is_used_again(
        self, cached: CachedToken, cache: Stuck, gateway: Gateway, clock: Seconds
    ) -> None:
        self.obtain(cached, gateway)
        cache.let_go.set()
        stuck = cached._stuck
        assert stuck is not None
        stuck.join(10)
        clock.now += PAUSE

        assert [self.obtain(cached, gateway) for _ in range(3)] == ["token-2"] * 3

    def test_it_is_said_once_each_time(
        self, cached: CachedToken, gateway: Gateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            self.obtain(cached, gateway)

        (record,) = caplog.records
        assert record.getMessage().startswith(
            "TOKEN_CACHE gave no answer for 0.05 s in get; going on without it for 60 s"
        )


def test_no_local_variable_of_ours_shows_a_token(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(SimpleCache):
        def set(self, key: str, value: Any, timeout: Any = None) -> Any:
            raise KeyboardInterrupt

    tokens = TokenService(lambda: Token(Hidden("hush"), 3600), cache=Failing())
    monkeypatch.setattr("spayon_flask.token_cache.in_time", lambda call, _: call())

    with pytest.raises(KeyboardInterrupt) as caught:
        tokens.get()

    ours = frames_of(caught.value)
    assert len(ours) >= 4
    assert not [part for part in ours if "hush" in part]
