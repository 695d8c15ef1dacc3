"""cachelib and Flask-Caching with a real Redis: one token for several processes."""

import pickle
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from cachelib import RedisCache
from flask_caching import Cache

from tests.neighbours.shop import Gateway, make_app, make_parts, mount

# The newest cachelib for Python 3.10 calls it so.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

ROOT = Path(__file__).parents[2]

#: What each worker process runs.
WORKER = """
import sys
from cachelib import RedisCache
from redis import Redis
from spayon_flask import Settings
from spayon_flask.client import Client

_, redis_url, prefix, api_url = sys.argv
cache = RedisCache(Redis.from_url(redis_url), key_prefix=prefix)
settings = Settings.from_config({
    "SPAYON_CLIENT_ID": "simulator-client",
    "SPAYON_CLIENT_SECRET": "simulator-secret",
    "SPAYON_CALLBACK_SECRET": "x",
    "SPAYON_API_URL": api_url,
    "SPAYON_TOKEN_CACHE": cache,
})
sys.stdin.readline()
print(Client(settings).tokens.get())
"""


@pytest.fixture
def prefix(redis_url: str) -> Iterator[str]:
    """A prefix of keys in Redis; what begins with it is removed afterwards."""
    chosen = f"spayon-test-{uuid.uuid4()}:"
    yield chosen

    with redis.Redis.from_url(redis_url) as server:
        for key in server.scan_iter(f"{chosen}*"):
            server.delete(key)


def test_several_processes_ask_for_one_token_between_them(
    gateway: Gateway, redis_url: str, prefix: str
) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, redis_url, prefix, gateway.url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()

    tokens = [worker.communicate(timeout=60)[0] for worker in workers]

    assert len(set(tokens)) == 1
    assert tokens[0].strip()
    assert gateway.requests.count("POST /api/tokens") == 1


@pytest.mark.parametrize("whole", [True, False], ids=["the extension", "its backend"])
def test_flask_caching_shares_the_token(
    gateway: Gateway, redis_url: str, prefix: str, whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": redis_url, "CACHE_KEY_PREFIX": prefix}

    for number in range(3):
        parts = make_parts()
        app = make_app(**gateway.config())
        cache = Cache(app, config=options)

        with app.app_context():
            app.config["SPAYON_TOKEN_CACHE"] = cache if whole else cache.cache
            mount(parts, app)
            tokens = parts.spayon.tokens

        # In a thread without an app context, as those of reconcile are.
        with ThreadPoolExecutor() as pool:
            assert pool.submit(tokens.get).result()

        answer = app.test_client().post(f"/pay/checkout/A{number}")
        assert gateway.session_at(answer).order_id == f"A{number}"

    assert gateway.requests.count("POST /api/tokens") == 1
    assert caplog.records == []


def test_a_redis_that_accepts_and_does_not_answer_costs_two_checkouts_one_time_out(
    gateway: Gateway,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # As in our recipe.
        client = redis.Redis(port=silent.getsockname()[1], socket_timeout=0.2, retry=None)  # type: ignore[arg-type]  # it may be None
        app = make_app(make_parts(), SPAYON_TOKEN_CACHE=RedisCache(client), **gateway.config())
        payer = app.test_client()
        answers = [payer.post(f"/pay/checkout/{order}") for order in ("A1", "A2")]
        silent.setblocking(False)
        silent.accept()[0].close()

        with pytest.raises(BlockingIOError):
            silent.accept()

    assert [each.status_code for each in answers] == [303, 303]
    assert gateway.requests.count("POST /api/tokens") == 1


class Trap:
    """Unpickled, it makes the file *path*."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def test_the_cache_of_the_page_shares_the_token_and_unpickles_nothing(
    gateway: Gateway, redis_url: str, prefix: str, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "neighbours.md").read_text()
    section = page.partition("## One token for all processes")[2]
    printed = section.partition("```python\n")[2].partition("\n\napp.config")[0]
    shop: dict[str, Any] = {}
    exec(printed, shop)
    server = redis.Redis.from_url(redis_url)

    def order(number: int) -> int:
        cache = shop["JsonCache"](redis.Redis.from_url(redis_url), key_prefix=prefix)
        app = make_app(make_parts(), SPAYON_TOKEN_CACHE=cache, **gateway.config())
        gateway.session_at(app.test_client().post(f"/pay/checkout/A{number}"))
        return gateway.requests.count("POST /api/tokens")

    assert [order(1), order(2)] == [1, 1]
    (key,) = server.keys(f"{prefix}*")

    for planted in (b"!" + pickle.dumps(Trap(tmp_path / "was here")), b"no JSON"):
        server.set(key, planted)
        order(3)

    assert not (tmp_path / "was here").exists()
    server.close()
