"""What we add to the gateway's own latency: checkout, return page, and reconcile."""

from statistics import median
from typing import Any

from tests.benchmarks.databases import database
from tests.benchmarks.documents import Table
from tests.benchmarks.gateway import JOBS, gateway
from tests.benchmarks.reports import Figures, Goal
from tests.benchmarks.rounds import percentile
from tests.benchmarks.servers import probe

LATENCY = 0.05


def latency(*, quick: bool) -> Figures:
    """Time the pages that a payer waits for, on PostgreSQL."""
    count = 30 if quick else 300
    with gateway(latency=LATENCY) as api_url:
        with database("postgresql", "pages") as url:
            creating = probe("checkout", url, api_url, count)["seconds"]

        with database("postgresql", "pages") as url:
            showing = probe("return_page", url, api_url, count)

    measured = (
        ("checkout, session created", creating, LATENCY),
        ("return page, pending, Spayon asked", showing["asked"], LATENCY),
        ("return page, pending, asked just now", showing["pending"], 0.0),
        ("return page, final", showing["final"], 0.0),
    )
    return Figures(
        name="latency",
        table=Table(
            ("page", "gateway", "added by us: median", "p99"),
            [
                (
                    title,
                    f"{latency * 1000:.0f} ms",
                    f"{(median(seconds) - latency) * 1000:.1f} ms",
                    f"{(percentile(seconds, 0.99) - latency) * 1000:.1f} ms",
                )
                for title, seconds, latency in measured
            ],
        ),
    )


def reconcile(*, quick: bool) -> Figures:
    """Reconcile 10,000 payments with 32 jobs at 50 ms, on PostgreSQL."""
    rounds, payments = (1, 640) if quick else (5, 10_000)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ("reconcile", "bound")}
    for _ in range(rounds):
        for name, outcomes in runs.items():
            outcomes.append(_reconcile(name, payments))

    measured = {name: _middle(outcomes) for name, outcomes in runs.items()}
    ideal = LATENCY * payments / JOBS
    ratios = [ideal / each["seconds"] for each in runs["reconcile"]]
    return Figures(
        name="reconcile",
        table=Table(
            (
                f"{payments:,} payments, {JOBS} jobs, {LATENCY * 1000:.0f} ms",
                "seconds",
                "against the ideal",
                "on the processor, each",
                "memory added",
            ),
            [
                ("ideal", f"{ideal:.1f}", "1.00", "", ""),
                _row("reconcile", measured["reconcile"], ideal, payments),
                _row("the same, bound to one core", measured["bound"], ideal, payments),
            ],
        ),
        goals=[
            Goal(
                what=f"reconcile of {payments:,} against the ideal",
                least=0.80,
                value=ideal / measured["reconcile"]["seconds"],
                note=f"{rounds} rounds, {min(ratios):.2f} to {max(ratios):.2f}",
            )
        ],
    )


def _reconcile(name: str, payments: int) -> dict[str, Any]:
    with (
        gateway(latency=LATENCY, payments=payments) as api_url,
        database("postgresql", "due") as url,
    ):
        measured = probe(name, url, api_url, payments)

    assert measured["paid"] == payments, measured
    return measured


def _middle(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(outcomes, key=lambda each: float(each["seconds"]))[len(outcomes) // 2]


def _row(
    title: str, measured: dict[str, Any], ideal: float, payments: int
) -> tuple[str, str, str, str, str]:
    seconds = measured["seconds"]
    return (
        title,
        f"{seconds:.1f}",
        f"{ideal / seconds:.2f}",
        f"{measured['processor'] / payments * 1000:.1f} ms",
        f"{measured['megabytes']:.1f} MB",
    )
