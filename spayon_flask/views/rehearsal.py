"""The receiver of a rehearsal: it keeps what a payment session leads to, and records no payment."""

from __future__ import annotations

import time

from flask import Response
from flask import request
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable
from werkzeug.exceptions import HTTPException

from ..rehearsals import MAX_WAIT
from ..rehearsals import Event
from ..state import Current
from .callback import read_body


_PLAIN = "text/plain; charset=utf-8"


def create_rehearsal(current: Current) -> RouteCallable:
    """Return the view that takes what the sessions of `flask spayon rehearse` lead to."""

    def rehearsal(key: str, what: str, **_: object) -> ResponseReturnValue:
        """Keep the request, if a rehearsal waits for it; the answer is what the rehearsal wants."""
        state = current()

        if not state.rehearsals.is_open(key):
            return Response("no rehearsal waits here\n", 404, content_type=_PLAIN)

        try:
            body = read_body(request)

        except HTTPException:
            return Response("this is no callback\n", 400, content_type=_PLAIN)

        reply = state.rehearsals.note(
            key,
            Event(
                what,
                state.clock(),
                request.method,
                tuple(request.headers),
                tuple(request.args.items(multi=True)),
                body,
            ),
        )

        if what != "callback":
            return Response("You can go back to the terminal.\n", content_type=_PLAIN)

        time.sleep(min(reply.wait, MAX_WAIT))
        return Response("a rehearsal\n", reply.status, content_type=_PLAIN)

    return rehearsal
