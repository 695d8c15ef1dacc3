"""Who is measured: name, module, how it is told what happened, and what it has recorded."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks import deliveries
from tests.benchmarks.deliveries import Delivery

#: dj-stripe gives every endpoint a UUID of its own; see shops/dj_stripe.py.
STRIPE_ENDPOINT = "6f1f7c52-3c2b-4a52-9a8a-0d7e51c0b7aa"
SHIPPED = "SELECT coalesce(sum(shipped), 0) FROM shop_order"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One shop, and the questions that tell whether it was exact."""

    name: str
    title: str
    deliver: Callable[..., list[Delivery]] = deliveries.paid
    recorded: str | None = "SELECT count(*) FROM callback"
    rejects_with: int = 401
    package: str | None = None
    databases: tuple[str, ...] = ("sqlite", "postgresql")

    def python(self) -> str:
        """Find the interpreter it runs in, made now if it needs packages of its own."""
        return sys.executable if self.package is None else str(_environment(self.package))

    def bodies(self, numbers: Iterable[int], *, signed: bool = True) -> list[Delivery]:
        """Sign the deliveries of *numbers* as this contender expects them."""
        return self.deliver(numbers, signed=signed)


def _environment(package: str) -> Path:
    folder = CACHE / "spayon-flask-benchmarks" / package
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, package, "gunicorn", "psycopg[binary]"], check=True)
        ready.touch()

    return python


OURS = "SELECT count(*) FROM spayon_callback WHERE verdict = 'applied'"

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(name="hmac_only", title="Flask, HMAC alone", recorded=None),
        Contender(name="session_core", title="floor: session, Core"),
        Contender(
            name="ours",
            title="spayon-flask, Core handler",
            recorded=OURS,
            databases=("sqlite", "postgresql", "mariadb"),
        ),
        # Its handler is the statement, as text, that the shop of dj-stripe runs too.
        Contender(
            name="ours_sql",
            title="spayon-flask, SQL handler",
            recorded=OURS,
            databases=("sqlite", "postgresql", "mariadb"),
        ),
        Contender(
            name="dj_stripe",
            title="dj-stripe",
            deliver=partial(deliveries.stripe_events, endpoint=STRIPE_ENDPOINT),
            recorded="SELECT count(*) FROM djstripe_event",
            rejects_with=400,
            package="dj-stripe",
        ),
    )
}
