"""What we add to the gateway's own latency: checkout, return page, and reconcile."""

import json
import subprocess
import sys
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.contenders import environment
from tests.benchmarks.databases import database
from tests.benchmarks.figures import Figures, Goal
from tests.benchmarks.gateway import JOBS, gateway
from tests.crashes.server import ROOT

LATENCY = 0.05


def latency(*, quick: bool) -> Figures:
    """Time the pages that a payer waits for, on PostgreSQL."""
    count = 30 if quick else 300
    creating = _probe("checkout", count)["seconds"]
    showing = _probe("return_page", count)
    measured = (
        ("checkout, session created", creating, LATENCY),
        ("return page, pending, Spayon asked", showing["asked"], LATENCY),
        ("return page, pending, asked just now", showing["pending"], 0.0),
        ("return page, final", showing["final"], 0.0),
    )
    rows = [
        (
            title,
            f"{latency * 1000:.0f} ms",
            f"{(median(seconds) - latency) * 1000:.1f} ms",
            f"{(quantiles(seconds, n=100)[98] - latency) * 1000:.1f} ms",
        )
        for title, seconds, latency in measured
    ]
    return Figures("latency", ("page", "gateway", "added by us: median", "p99"), rows)


def reconcile(*, quick: bool) -> Figures:
    """Reconcile 10,000 payments with 32 jobs at 50 ms, on PostgreSQL."""
    rounds, payments = (1, 640) if quick else (5, 10_000)
    ideal = LATENCY * payments / JOBS
    rows = [("ideal", f"{ideal:.1f}", "1.00", "", "")]
    ratios = []

    for title, name in (("reconcile", "reconcile"), ("the same, bound to one core", "bound")):
        outcomes = [_probe(name, payments, paid=payments) for _ in range(rounds)]
        middle = sorted(outcomes, key=lambda each: float(each["seconds"]))[rounds // 2]
        ratios.append(ideal / middle["seconds"])
        rows.append(
            (
                title,
                f"{middle['seconds']:.1f}",
                f"{ratios[-1]:.2f}",
                f"{middle['processor'] / payments * 1000:.1f} ms",
                f"{middle['megabytes']:.1f} MB",
            )
        )

    return Figures(
        "reconcile",
        (
            f"{payments:,} payments, {JOBS} jobs, {LATENCY * 1000:.0f} ms",
            "seconds",
            "against the ideal",
            "on the processor, each",
            "memory added",
        ),
        rows,
        [Goal(f"reconcile of {payments:,} against the ideal", ratios[0], least=0.80)],
    )


def _probe(name: str, number: int, *, paid: int = 0) -> dict[str, Any]:
    """Let a shop measure itself in a process of its own; so many payment sessions are *paid*."""
    with gateway(latency=LATENCY, payments=paid) as api_url, database("postgresql") as url:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.shops.probe", name, api_url, str(number)],
            env=environment(url),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )

    measured: dict[str, Any] = json.loads(done.stdout)
    assert measured.get("paid", paid) == paid, measured
    return measured
