"""Body: what comes with a callback, read no further than it can be one."""

from __future__ import annotations

from contextlib import suppress

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge


#: A callback has a few hundred bytes.
MAX_BODY = 64 * 1024

#: So much of a larger one is read and forgotten: what nginx passes on, unless it is told otherwise.
MAX_FORGOTTEN = 1024 * 1024

_PIECE = 64 * 1024


def read_body(request: Request) -> bytes:
    """Return the body of *request*, byte for byte.

    Raises `RequestEntityTooLarge` where it has more than 64 KiB, and werkzeug's other HTTP errors.
    """
    # One byte more, since Werkzeug cuts a body without a length off at the limit.
    request.max_content_length = MAX_BODY + 1

    with suppress(RequestEntityTooLarge):
        body = request.get_data(cache=False)

        if len(body) <= MAX_BODY:
            return body

    _forget_rest(request)
    raise RequestEntityTooLarge


def _forget_rest(request: Request) -> None:
    # A connection that is closed while a proxy is still sending is reset, and the answer is lost
    # with it (RFC 9112, 9.6). Only where the server says that the body ends by itself: elsewhere
    # one would wait for bytes that nobody sends.
    if not request.environ.get("wsgi.input_terminated"):
        return

    left = MAX_FORGOTTEN

    # Who breaks off in the middle is refused all the same.
    with suppress(Exception):
        while left > 0 and (piece := request.environ["wsgi.input"].read(_PIECE)):
            left -= len(piece)
