"""The gateway within this process: calls of a client that a WSGI app answers without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import IncompleteRead
from typing import Any

from werkzeug.test import Client

from ..client.transport import Exchange
from ..simulator import ConnectionCutError


def in_process(wsgi_app: Any) -> Exchange:
    """Return what answers requests with *wsgi_app*, in the thread that sends them.

    A line that a fault of the simulator cuts is raised as a socket would raise it.
    """

    def exchange(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        # A client of its own for each call: no cookie of one shows in the next.
        client = Client(wsgi_app)

        try:
            with client.open(url, method=method, headers=dict(headers), data=body) as answer:
                return answer.status_code, dict(answer.headers), answer.get_data()

        except ConnectionCutError as error:
            if error.answer_begun:
                raise IncompleteRead(b"") from None

            raise

    return exchange
