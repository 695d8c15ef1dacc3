"""Fifty vendors at once, five with wrong secrets and one whose calls hang: nothing crosses."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from threading import Event

import pytest

from tests.gateway import Gateway, Says
from tests.kept import dispose
from tests.reports import report
from tests.vendors import know_vendors, make_market

NAMES = [f"v{number:02}" for number in range(50)]
WRONG = tuple(NAMES[:5])
HANGS = NAMES[5]
ORDERS = ("A1", "A2")


@pytest.mark.thorough
def test_fifty_vendors_keep_their_money_apart(database_url: str, scripted: Gateway) -> None:
    know_vendors(scripted)
    market = make_market(database_url, scripted.url)
    market.add(*NAMES)
    release = Event()
    random = Random(36)

    def creations(_: str) -> Says:
        # Each vendor has a payment session of the order's own number.
        number = json.loads(scripted.call.body)["order_id"][1:]
        says = {"session_id": f"S{number}", "session_url": f"{scripted.url}/pay/S{number}"}
        return Says(json.dumps(says).encode())

    def statuses(session_id: str) -> Says:
        if f"-{HANGS}-" in scripted.call.token:
            release.wait(60)

        return Says(report(session_id, orderId=f"A{session_id[1:]}"))

    scripted.creations, scripted.statuses = creations, statuses

    for vendor in NAMES:
        for order in ORDERS:
            assert market.begin(vendor, order) == 303

    for vendor in WRONG:
        market.change(vendor, "other")

    know_wrong = partial(know_vendors, scripted, wrong=WRONG)
    know_wrong()
    scripted.creations, scripted.statuses = creations, statuses

    # Half of the callbacks come, three times each, in any order, signed as a neighbour would too.
    calls = []

    for vendor, neighbour in zip(NAMES, [*NAMES[1:], NAMES[0]], strict=True):
        if vendor not in WRONG:
            body = report("S1", orderId="A1")
            calls += [partial(market.deliver, vendor, body)] * 3
            calls.append(partial(market.deliver, vendor, body, secret=neighbour))

    random.shuffle(calls)

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(each.result() for each in [pool.submit(call) for call in calls])

    market.clock.step(120)

    with market.app.app_context():
        market.spayon.reconcile(jobs=4, progress=lambda _: None)

    release.set()
    others = [name for name in NAMES if name not in (*WRONG, HANGS)]
    found = market.statuses()

    assert answers == {200: 3 * 45, 401: 45}
    assert sorted(market.paid) == sorted(
        [*((name, order) for name in others for order in ORDERS), (HANGS, "A1")]
    )
    assert all(found[f"vendors/{name}"] == ["pending", "pending"] for name in WRONG)
    dispose(market)  # type: ignore[arg-type]  # what is disposed of has the same names
