"""The whole shop while it runs: gunicorn, a Celery worker, a Sentry that listens, the simulator."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import redis
import requests
from sqlalchemy import create_engine, text

from spayon_flask.simulator import PaymentSession, Simulator
from tests.crashes.server import ROOT, Server
from tests.listening import listening
from tests.needs import missing
from tests.neighbours.shop import csrf_token

REDIS = os.environ.get("SPAYON_TESTS_REDIS", "redis://127.0.0.1:6379/15")
HERE = Path(__file__).parent

CUSTOMER = "ani.customer@shop.example"
NAME = "Ani Customer"
OTHER = "bob.other@shop.example"
STAFF = "vahe.staff@shop.example"
PASSWORD = "correct-horse"
SECRET_KEY = "key-of-the-whole-shop"

#: The products; nobody has said where the third one lies, and the last one costs nothing.
TEA, DEAR, LOST, FREE = 1, 2, 3, 4

#: What is done once before the shop opens: the first migration, people and products.
OPEN = f"""
import flask_migrate
from werkzeug.security import generate_password_hash
from whole_shop import Product, User, create_app, db

with create_app().app_context():
    flask_migrate.init(directory="migrations")
    flask_migrate.migrate(directory="migrations")
    flask_migrate.upgrade(directory="migrations")
    password = generate_password_hash("{PASSWORD}", "pbkdf2:sha256:1")
    db.session.add(User(email="{CUSTOMER}", name="{NAME}", password=password))
    db.session.add(User(email="{OTHER}", name="Bob Other", password=password))
    db.session.add(User(email="{STAFF}", name="Vahe Staff", password=password, is_staff=True))
    titles = dict(title_en="Tea", title_ru="Чай", title_hy="Թեյ")
    for price, shelf in (1800, "a1"), (90000, "a2"), (500, None), (0, "a4"):
        db.session.add(Product(**titles, price=price, shelf=shelf))
    db.session.commit()
"""


class Sentry:
    """Take what the SDK sends over HTTP, and keep its text."""

    def __init__(self) -> None:
        sentry = self
        self.bodies: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers.get("Content-Encoding") == "gzip"
                sentry.bodies.append((gzip.decompress(body) if packed else body).decode())
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def dsn(self) -> str:
        """What the shop is told."""
        return f"http://public@127.0.0.1:{self.server.server_port}/1"

    def errors(self) -> list[dict[str, Any]]:
        """Return the events that tell of an error or a message."""
        lines = [line for body in self.bodies for line in body.splitlines()]
        items = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in items if "exception" in each or "logentry" in each]

    def causes(self) -> set[str]:
        """Return the names of the errors that the events began with."""
        return {each["exception"]["values"][0]["type"] for each in self.errors()}


class Customer:
    """A browser of one person, in one language; nobody is logged in if *email* is None."""

    def __init__(self, base: str, language: str, email: str | None = CUSTOMER) -> None:
        self.base = base
        self.language = language
        self.http = requests.Session()

        if email is not None:
            self.submit(f"/{language}/login", email=email, password=PASSWORD)

    def get(self, path: str) -> requests.Response:
        """Open a page."""
        return self.http.get(self.base + path, timeout=150)

    def submit(self, path: str, page: str | None = None, **form: str) -> requests.Response:
        """Send the form at *path* with the token of the page that holds it, as a browser does."""
        answer = self.post(path, page or path, **form)
        assert answer.status_code in (302, 303), answer.text
        return answer

    def post(self, path: str, page: str, **form: str) -> requests.Response:
        """Send a form with the token of *page*, and follow no redirect."""
        return self.http.post(
            self.base + path,
            data={"csrf_token": csrf_token(self.get(page).text), **form},
            headers={"Referer": self.base + path},
            allow_redirects=False,
            timeout=150,
        )

    def checkout(self, product: int) -> str:
        """Buy a product; return the address of the payment page at Spayon."""
        bought = self.submit(f"/{self.language}/buy/{product}", f"/{self.language}/")
        path = bought.headers["Location"]
        assert re.fullmatch(rf"/{self.language}/pay/checkout/[\w-]{{16}}", path)
        assert self.language_of(self.get(path)) == self.language
        return str(self.submit(path).headers["Location"])

    @staticmethod
    def language_of(answer: requests.Response) -> str:
        """Return the language that a page says it is in."""
        assert answer.status_code == 200, answer.text
        found = re.search(r'<html[^>]* lang="(\w+)"', answer.text)
        assert found is not None
        return found[1]


class Whole:
    """The whole shop, with what is beside it."""

    def __init__(self, sim: Simulator, sentry: Sentry, database: str, folder: Path) -> None:
        self.sim = sim
        self.sentry = sentry
        self.traces = folder / "traces.jsonl"
        self.queue = f"spayon-tests-{uuid.uuid4().hex}"
        self.limits = f"{self.queue}-limits"
        self.base = ""
        self._folder = folder
        self._engine = create_engine(database)
        self.environment = {
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE))),
            "FLASK_SECRET_KEY": SECRET_KEY,
            "FLASK_SQLALCHEMY_DATABASE_URI": database,
            "FLASK_SENTRY_DSN": sentry.dsn,
            "FLASK_TRACES": str(self.traces),
            "FLASK_RATELIMIT_STORAGE_URI": REDIS,
            "FLASK_RATELIMIT_KEY_PREFIX": self.limits,
            "FLASK_CELERY": json.dumps({"broker_url": REDIS, "task_default_queue": self.queue}),
            "FLASK_SPAYON_API_URL": sim.url,
            "FLASK_SPAYON_CLIENT_ID": sim.client_id,
            "FLASK_SPAYON_CLIENT_SECRET": sim.client_secret,
            "FLASK_SPAYON_CALLBACK_SECRET": sim.callback_secret,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python as the shop's people do."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self._folder,
            env=os.environ | self.environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Run a Celery worker."""
        command = ("-m", "celery", "-A", "whole_shop_worker", "worker", "-P", "solo")
        quick = ("--without-gossip", "--without-mingle", "--without-heartbeat")

        with (self._folder / "worker.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *command, *quick],
                cwd=self._folder,
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
            )

            try:
                yield

            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    @contextmanager
    def served(self, *, preload: bool) -> Iterator[None]:
        """Serve the shop with several workers; without *preload* each of them loads all anew."""
        server = Server("whole_shop:create_app()", 3 if preload else 2, preload=preload)
        before, self.base = self.base, f"http://127.0.0.1:{server.port}"
        server.environment |= self.environment | {"FLASK_SPAYON_PUBLIC_URL": self.base}

        try:
            with server:
                yield

        finally:
            self.base = before

    def pay(self, session: PaymentSession) -> int | None:
        """Pay at Spayon; return what the shop answered to the callback."""
        delivery = self.sim.pay(session.id)
        assert delivery is not None
        return delivery.status_code

    def session_at(self, address: str) -> PaymentSession:
        """Return the payment session of an address at Spayon."""
        return self.sim.sessions[address.rsplit("/", 1)[1]]

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        with self._engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def execute(self, statement: str, **values: object) -> None:
        """Change the database."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def parcels(self, order_id: str) -> int:
        """Return how many parcels there are of an order."""
        query = "SELECT count(*) FROM parcel WHERE order_id = :order"
        return int(self.rows(query, order=int(order_id))[0][0])

    def code(self, order_id: str) -> str:
        """Return the code by which the payment pages know an order."""
        return str(self.rows("SELECT code FROM shop_order WHERE id = :o", o=int(order_id))[0][0])

    def state(self, order_id: str) -> str:
        """Return how the shop says that an order stands."""
        return str(self.rows("SELECT state FROM shop_order WHERE id = :o", o=int(order_id))[0][0])

    def close(self) -> None:
        """Leave the database, and nothing in Redis."""
        self._engine.dispose()

        with redis.Redis.from_url(REDIS) as server:
            for key in server.scan_iter(f"*{self.queue}*"):
                server.delete(key)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for *condition*, 60 seconds at most."""
    ends = time.monotonic() + 60

    while not condition():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.05)


@contextmanager
def whole_shop(database: str, folder: Path) -> Iterator[Whole]:
    """Run the whole shop on *database*, with its files in *folder*."""
    with redis.Redis.from_url(REDIS) as server:
        try:
            server.ping()

        except redis.ConnectionError:
            missing("a Redis server")

    sentry = Sentry()

    with Simulator() as sim, listening(sentry.server):
        whole = Whole(sim, sentry, database, folder)
        opened = whole.run("-c", OPEN)
        assert opened.returncode == 0, opened.stderr

        with whole.worker(), whole.served(preload=True):
            yield whole

        whole.close()
