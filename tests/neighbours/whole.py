"""The whole shop while it runs: gunicorn, a Celery worker, a Sentry that listens, the simulator."""

import gzip
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from werkzeug.wrappers import Request, Response

from spayon_flask.simulator import PaymentSession, Simulator
from tests.cli.serving import serving
from tests.crashes.server import ROOT, Server
from tests.neighbours.processes import Processes, forget
from tests.neighbours.shop import csrf_token

HERE = Path(__file__).parent

CUSTOMER = "ani.customer@shop.example"
NAME = "Ani Customer"
STAFF = "vahe.staff@shop.example"
PASSWORD = "correct-horse"
SECRET_KEY = "key-of-the-whole-shop"

#: The products; nobody has said where the second one lies, and the last one costs nothing.
TEA, LOST, FREE = 1, 2, 3

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
    db.session.add(User(email="{STAFF}", name="Vahe Staff", password=password, is_staff=True))
    titles = dict(title_en="Tea", title_ru="Чай", title_hy="Թեյ")
    for price, shelf in (1800, "a1"), (500, None), (0, "a3"):
        db.session.add(Product(**titles, price=price, shelf=shelf))
    db.session.commit()
"""


class Sentry:
    """Take what the SDK sends over HTTP, and keep its text."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.url = ""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        body, packed = request.get_data(), request.headers.get("Content-Encoding") == "gzip"
        self.bodies.append((gzip.decompress(body) if packed else body).decode())
        return Response(b"{}")(environ, start_response)

    @property
    def dsn(self) -> str:
        """What the shop is told."""
        return f"{self.url}/1".replace("://", "://public@")

    def errors(self) -> list[dict[str, Any]]:
        """Return the events that tell of an error or a message."""
        lines = [line for body in self.bodies for line in body.splitlines()]
        items = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in items if "exception" in each or "logentry" in each]

    def causes(self) -> set[str]:
        """Return the names of the errors that the events began with."""
        return {each["exception"]["values"][0]["type"] for each in self.errors()}


class Customer:
    """A browser of one person, in one language."""

    def __init__(self, base: str, language: str, email: str = CUSTOMER) -> None:
        self.base = base
        self.language = language
        self.http = requests.Session()
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


class Whole(Processes):
    """The whole shop, with what is beside it."""

    def __init__(
        self, sim: Simulator, sentry: Sentry, database: str, redis_url: str, folder: Path
    ) -> None:
        self.sim = sim
        self.sentry = sentry
        self.traces = folder / "traces.jsonl"
        self.queue = f"spayon-tests-{uuid.uuid4().hex}"
        self.limits = f"{self.queue}-limits"
        self.server = Server("whole_shop:create_app()", 3)
        self.base = f"http://127.0.0.1:{self.server.port}"
        celery = {"broker_url": redis_url, "task_default_queue": self.queue}
        environment = {
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE))),
            "FLASK_SECRET_KEY": SECRET_KEY,
            "FLASK_SENTRY_DSN": sentry.dsn,
            "FLASK_TRACES": str(self.traces),
            "FLASK_RATELIMIT_STORAGE_URI": redis_url,
            "FLASK_RATELIMIT_KEY_PREFIX": self.limits,
            "FLASK_CELERY": json.dumps(celery),
            "FLASK_SPAYON_API_URL": sim.url,
            "FLASK_SPAYON_CLIENT_ID": sim.client_id,
            "FLASK_SPAYON_CLIENT_SECRET": sim.client_secret,
            "FLASK_SPAYON_CALLBACK_SECRET": sim.callback_secret,
            "FLASK_SPAYON_PUBLIC_URL": self.base,
        }
        super().__init__(folder, database, environment)
        self.server.environment |= self.environment

    def pay(self, session: PaymentSession) -> int | None:
        """Pay at Spayon; return what the shop answered to the callback."""
        delivery = self.sim.pay(session.id)
        assert delivery is not None
        return delivery.status_code

    def session_at(self, address: str) -> PaymentSession:
        """Return the payment session of an address at Spayon."""
        return self.sim.sessions[address.rsplit("/", 1)[1]]

    def parcels(self, order_id: str) -> int:
        """Return how many parcels there are of an order."""
        query = "SELECT count(*) FROM parcel WHERE order_id = :order"
        return int(self.rows(query, order=int(order_id))[0][0])

    def state(self, order_id: str) -> str:
        """Return how the shop says that an order stands."""
        return str(self.rows("SELECT state FROM shop_order WHERE id = :o", o=int(order_id))[0][0])


@contextmanager
def whole_shop(database: str, redis_url: str, folder: Path) -> Iterator[Whole]:
    """Run the whole shop on *database*, with its files in *folder*."""
    sentry = Sentry()

    with Simulator() as sim, serving(sentry) as sentry.url:
        whole = Whole(sim, sentry, database, redis_url, folder)
        whole.run("-c", OPEN)

        with whole.worker("whole_shop_worker"), whole.server:
            yield whole

        whole.close()
        forget(redis_url, whole.queue)
