"""The shop in Node that docs/other-languages.md shows, driven as that page says."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import Simulator

SHOP = Path(__file__).parents[2] / "docs" / "examples" / "shop.mjs"

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="needs Node")


def ask(url: str, fields: dict[str, Any] | None = None) -> Any:
    """GET *url*, or POST *fields* as JSON; return what JSON came back."""
    data = None if fields is None else json.dumps(fields).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@pytest.fixture
def shop(sim: Simulator) -> Iterator[str]:
    """Run the shop on a free port."""
    environment = os.environ | {"SPAYON_API_URL": sim.url, "PORT": "0"}
    node = subprocess.Popen(["node", str(SHOP)], env=environment, stdout=subprocess.PIPE, text=True)
    with node:
        assert node.stdout is not None
        yield node.stdout.readline().strip()
        node.terminate()


def test_the_shop_stands_what_a_shop_should_stand(sim: Simulator, shop: str) -> None:
    """Duplicates, forgeries, a changed price, disorder, and a gateway that is away."""
    routes = f"{sim.url}/_simulator"

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Follow nothing."""

    def buy(order: str) -> int:
        try:
            urllib.request.build_opener(Stay).open(f"{shop}/buy?order={order}", timeout=20)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

        return 200

    assert buy("A1") == 303
    (session,) = ask(f"{routes}/sessions.json?order=A1")["sessions"]
    deliver = f"{routes}/sessions/{session['id']}/deliver"

    assert ask(deliver, {"way": "price"})["codes"] == [200]
    assert ask(f"{shop}/order?order=A1") == {"parcels": 0}
    assert ask(f"{routes}/sessions/{session['id']}/pay", {})["status"] == "paid"
    assert ask(deliver, {"way": "ten"})["codes"] == [200] * 10
    assert ask(deliver, {"way": "order"})["codes"] == [200] * 2
    for way in ("byte", "unsigned", "old_secret"):
        assert ask(deliver, {"way": way})["codes"] == [401]

    assert ask(f"{shop}/order?order=A1") == {"parcels": 1}
    ask(f"{routes}/faults/presets/down", {"order": "A2"})
    assert buy("A2") == 503
    ask(f"{routes}/faults/clear", {})
    assert buy("A2") == 303
    assert [each.remark for each in sim.requests if each.remark] == []
