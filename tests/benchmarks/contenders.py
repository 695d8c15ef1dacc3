"""Who is measured: name, module, how it is told what happened, and what it has recorded."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.deliveries import paid, stripe_event
from tests.benchmarks.shops import DATABASE
from tests.crashes.server import ROOT

SHIPPED = "SELECT coalesce(sum(shipped), 0) FROM shop_order"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One shop, and the question that tells whether it was exact."""

    name: str
    title: str
    deliver: Callable[[int, bool], bytes] = paid
    recorded: str | None = "SELECT count(*) FROM callback"
    rejects_with: int = 401
    package: str | None = None
    databases: tuple[str, ...] = ("sqlite", "postgresql")

    def python(self) -> str:
        """Find the interpreter it runs in, made now if it needs packages of its own."""
        return sys.executable if self.package is None else str(_environment(self.package))

    def requests(self, numbers: Iterable[int], *, signed: bool = True) -> list[bytes]:
        """Write the deliveries of *numbers* as this contender expects them."""
        return [self.deliver(number, signed) for number in numbers]

    def manage(self, url: str, command: str, *numbers: int) -> None:
        """Run a set-up command of the shop, in the shop's own environment."""
        module = "tests.benchmarks.shops.manage"
        words = [self.python(), "-m", module, self.name, command, *map(str, numbers)]
        subprocess.run(words, env=environment(url), cwd=ROOT, check=True)


def environment(url: str) -> dict[str, str]:
    """Tell a shop its database, and Python where this package is."""
    return {**os.environ, DATABASE: url, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}


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
EVERYWHERE = ("sqlite", "postgresql", "mariadb")

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(name="hmac_only", title="Flask, HMAC alone", recorded=None),
        Contender(name="session_core", title="floor: session, Core"),
        Contender(
            name="ours",
            title="spayon-flask, Core handler",
            recorded=OURS,
            databases=EVERYWHERE,
        ),
        # Its handler is the statement, as text, that the shop of dj-stripe runs too.
        Contender(
            name="ours_sql",
            title="spayon-flask, SQL handler",
            recorded=OURS,
            databases=EVERYWHERE,
        ),
        # On PostgreSQL alone: under SQLite's lock all wait alike.
        Contender(
            name="dj_stripe",
            title="dj-stripe",
            deliver=stripe_event,
            recorded="SELECT count(*) FROM djstripe_event",
            rejects_with=400,
            package="dj-stripe",
            databases=("postgresql",),
        ),
    )
}
