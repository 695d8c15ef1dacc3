"""Where the processor time of a first delivery goes: package by package, in the worker."""

import cProfile
import pstats
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.test import EnvironBuilder
from werkzeug.test import run_wsgi_app

import spayon_flask
from tests.benchmarks import deliveries
from tests.benchmarks.databases import database
from tests.benchmarks.documents import Table
from tests.benchmarks.gateway import gateway
from tests.benchmarks.reports import Figures
from tests.benchmarks.servers import probe


if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


#: What a file's path must contain, and what it then counts as; the first that fits.
PARTS = (
    (str(Path(spayon_flask.__file__).parent), "spayon-flask"),
    ("/sqlalchemy/", "SQLAlchemy"),
    ("/flask_sqlalchemy/", "SQLAlchemy"),
    ("/psycopg", "psycopg"),
    ("/werkzeug/", "Flask and Werkzeug"),
    ("/flask/", "Flask and Werkzeug"),
    ("/blinker/", "Flask and Werkzeug"),
)


def run(*, quick: bool) -> Figures:
    """Profile first deliveries in one process, on PostgreSQL."""
    count = 200 if quick else 2000
    with gateway(latency=0) as api_url, database("postgresql", "shares") as url:
        shares = probe("shares", url, api_url, count)

    total = sum(shares.values())
    return Figures(
        name="shares",
        table=Table(
            ("processor time of a first delivery, by the package that it is spent in", "share"),
            [
                (part, f"{seconds / total:.0%}")
                for part, seconds in sorted(shares.items(), key=lambda each: -each[1])
            ],
        ),
    )


def profile(app: Flask, count: int) -> dict[str, float]:
    """Deliver *count* callbacks to *app* in process; return seconds by the part of the stack."""
    warm = count // 10
    environs = [_environ(each) for each in deliveries.paid(range(count + warm))]
    answers = [run_wsgi_app(app, environ)[1] for environ in environs[:warm]]
    profiler = cProfile.Profile(time.thread_time)
    profiler.enable()
    answers += [run_wsgi_app(app, environ)[1] for environ in environs[warm:]]
    profiler.disable()
    assert set(answers) == {"200 OK"}, set(answers)
    return _by_part(pstats.Stats(profiler))


def _by_part(stats: pstats.Stats) -> dict[str, float]:
    seconds: Counter[str] = Counter()
    # A built-in function has no file: its time is that of whoever calls it.
    for (file, _, _), (_, _, own, _, callers) in stats.stats.items():  # type: ignore[attr-defined]  # typeshed
        if file.startswith(("~", "<")) and callers:
            for (caller, _, _), (_, _, spent, _) in callers.items():
                seconds[_part(caller)] += spent

        else:
            seconds[_part(file)] += own

    return dict(seconds)


def _part(file: str) -> str:
    return next((name for where, name in PARTS if where in file), "the rest of Python")


def _environ(delivery: deliveries.Delivery) -> "WSGIEnvironment":
    builder = EnvironBuilder(
        delivery.path, method="POST", data=delivery.body, headers=list(delivery.headers.items())
    )
    return builder.get_environ()
