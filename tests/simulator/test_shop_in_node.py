"""The shop in Node that docs/other-languages.md shows, driven as that page says."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from spayon_flask.simulator import Simulator

SHOP = Path(__file__).parents[2] / "docs" / "examples" / "shop.mjs"

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="needs Node")


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

    def command(path: str, **fields: str) -> Any:
        return requests.post(f"{routes}/{path}", json=fields, timeout=20).json()

    def buy(order: str) -> int:
        url = f"{shop}/buy?order={order}"
        return requests.get(url, allow_redirects=False, timeout=20).status_code

    def parcels() -> Any:
        return requests.get(f"{shop}/order?order=A1", timeout=20).json()["parcels"]

    assert buy("A1") == 303
    found = requests.get(f"{routes}/sessions.json?order=A1", timeout=20).json()
    (session,) = found["sessions"]
    deliver = f"sessions/{session['id']}/deliver"

    assert command(deliver, way="price")["codes"] == [200]
    assert parcels() == 0
    assert command(f"sessions/{session['id']}/pay")["status"] == "paid"
    assert command(deliver, way="ten")["codes"] == [200] * 10
    assert command(deliver, way="order")["codes"] == [200] * 2
    for way in ("byte", "unsigned", "old_secret"):
        assert command(deliver, way=way)["codes"] == [401]

    assert parcels() == 1
    command("faults/presets/down", order="A2")
    assert buy("A2") == 503
    command("faults/clear")
    assert buy("A2") == 303
    assert [each.remark for each in sim.requests if each.remark] == []
