"""A shop that listens on a real port, in threads of this process."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import make_server

from spayon_flask.simulator import Simulator
from tests.listening import listening
from tests.shop import Shop, make_shop


@contextmanager
def shop_at(sim: Simulator, database_url: str, **config: Any) -> Iterator[Shop]:
    """Yield a shop that listens where its `SPAYON_PUBLIC_URL` says, and pays through *sim*.

    Its clock shows what that of *sim* shows now, and moves only when it is stepped.
    """
    shops: list[Shop] = []

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return shops[0].app(environ, start_response)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    config = {"SPAYON_PUBLIC_URL": f"http://127.0.0.1:{server.port}", **config}
    shop = make_shop(database_url, SPAYON_API_URL=sim.url, **config)
    shop.clock.now = sim.clock.now()
    shops.append(shop)

    with listening(server):
        yield shop
