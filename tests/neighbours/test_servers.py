"""gunicorn with its threads and with gevent, behind a real nginx under a path prefix."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests

from spayon_flask.simulator import PaymentSession, Simulator
from tests.crashes.server import ROOT, Server
from tests.needs import missing
from tests.neighbours.processes import Processes
from tests.rehearsal.conftest import free_port
from tests.shop import CONFIG

pytestmark = pytest.mark.thorough

WORKERS = ("gthread", "gevent")

NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {zone}
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""


def printed(page: str) -> str:
    """Return the block of nginx that a page of the docs has."""
    text = (ROOT / "docs" / page).read_text()
    return text.partition("```nginx\n")[2].partition("```")[0]


@dataclass
class Served:
    """A shop at *url*, its processes, and the gateway where it is paid."""

    url: str
    processes: Processes
    gateway: Simulator

    def begin(self, order_id: str, **headers: str) -> PaymentSession:
        """Press "Pay"; return the payment session that the payer is sent to."""
        url = f"{self.url}/pay/checkout/{order_id}"
        answer = requests.post(url, headers=headers, timeout=30, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return self.gateway.sessions[answer.headers["Location"].rsplit("/", 1)[1]]

    def pay(self, session: PaymentSession) -> None:
        """Pay, and see that the callback is answered with 200."""
        delivery = self.gateway.pay(session.id)
        assert delivery is not None
        assert delivery.status_code == 200

    def parcels(self, order_id: str) -> int:
        """Return how often an order was sent out."""
        query = "SELECT count(*) FROM parcel WHERE order_id = :order"
        return int(self.processes.rows(query, order=order_id)[0][0])


@pytest.fixture(scope="module")
def gateway() -> Iterator[Simulator]:
    """Run a simulator that posts callbacks over HTTP."""
    with Simulator(time_scale=0) as running:
        yield running


@pytest.fixture(scope="module", params=WORKERS)
def served(
    request: pytest.FixtureRequest, gateway: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A shop on gunicorn alone."""
    folder = tmp_path_factory.mktemp("shop")
    settings = {f"FLASK_{name}": str(value) for name, value in CONFIG.items()} | {
        "PYTHONPATH": str(ROOT),
        "FLASK_SPAYON_API_URL": gateway.url,
        "FLASK_SPAYON_PUBLIC_URL": "",
    }
    processes = Processes(folder, f"sqlite:///{folder / 'shop.db'}", settings)
    create = "from tests.neighbours.served import create_app; create_app()"
    processes.run("-c", create, CREATE_TABLES="1")
    app, options = "tests.neighbours.served:create_app()", ["--worker-class", request.param]
    server = Server(app, 2, threads=4, preload=False, options=options)
    server.environment |= processes.environment

    with server:
        yield Served(f"http://127.0.0.1:{server.port}", processes, gateway)

    processes.close()


@contextmanager
def nginx_with(block: str, behind: str, folder: Path) -> Iterator[str]:
    """Run nginx with a *block* of the docs before the URL *behind*; yield its address."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")

    if nginx is None:
        missing("nginx")

    block = block.replace("http://127.0.0.1:8000", behind)
    zone, _, locations = block.partition("location")
    config, port = folder / "nginx.conf", free_port()
    config.write_text(
        ("user root;" if os.geteuid() == 0 else "")
        + NGINX.format(folder=folder, port=port, zone=zone, locations=f"location{locations}")
    )
    command = [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    subprocess.run(command, check=True)
    yield f"http://127.0.0.1:{port}"
    subprocess.run([*command, "-s", "quit"], check=True)


@pytest.fixture(scope="module")
def proxied(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shop on gunicorn, behind nginx, under /shop."""
    folder = tmp_path_factory.mktemp("nginx")

    with nginx_with(printed("neighbours.md"), served.url, folder) as url:
        yield replace(served, url=f"{url}/shop")


def test_many_callbacks_at_once_on_gunicorn_send_one_parcel(served: Served) -> None:
    session = served.begin("A1")
    served.pay(session)
    deliveries = served.gateway.deliver(session.id, times=12, concurrently=True)

    assert [each.status_code for each in deliveries] == [200] * 12
    assert served.parcels("A1") == 1


def test_a_purchase_through_nginx_ends_paid(proxied: Served) -> None:
    session = proxied.begin("A4")
    creation = session.creation
    assert creation.callback_url == f"{proxied.url}/pay/callback"
    assert creation.return_url == f"{proxied.url}/pay/return"
    assert str(creation.cancel_url).startswith(f"{proxied.url}/pay/cancel/")

    proxied.pay(session)
    assert proxied.parcels("A4") == 1
    page = requests.get(f"{proxied.url}/pay/return?session_id={session.id}", timeout=30)
    assert page.status_code == 200
    assert 'href="/shop/pay/static/spayon/spayon.css' in page.text
    style = requests.get(f"{proxied.url}/pay/static/spayon/spayon.css", timeout=30)
    assert style.status_code == 200


def test_a_stranger_s_host_and_prefix_change_no_payment_session_behind_nginx(
    proxied: Served,
) -> None:
    bought = proxied.begin("A5")

    for headers in ({"X-Forwarded-Prefix": "/evil"}, {"X-Forwarded-Host": "evil.example"}):
        assert proxied.begin("A5", **headers) is bought

    # A `Host` reaches the shop, which shares no payment session between two of them.
    assert proxied.begin("A5", Host="evil.example") is not bought
    assert str(bought.creation.callback_url).startswith(f"{proxied.url}/")


def test_the_limit_of_the_page_holds_for_pages_and_not_for_the_callback(
    served: Served, tmp_path: Path
) -> None:
    with nginx_with(printed("security.md"), served.url, tmp_path) as url:
        pages = [requests.get(f"{url}/pay/checkout/A6", timeout=30) for _ in range(30)]
        callbacks = [requests.post(f"{url}/pay/callback", timeout=30) for _ in range(30)]

    assert {each.status_code for each in pages} == {200, 503}
    assert {each.status_code for each in callbacks} == {401}


@pytest.mark.parametrize("has_length", [True, False])
def test_a_callback_too_large_is_refused_through_nginx(proxied: Served, has_length: bool) -> None:
    answers = set()

    # If the rest were not read, the answer would be lost now and then.
    for _ in range(40):
        body = b"x" * 900_000 if has_length else iter([b"x" * 1000] * 900)
        answer = requests.post(f"{proxied.url}/pay/callback", data=body, timeout=30)
        answers.add(answer.status_code)

    assert answers == {413}
