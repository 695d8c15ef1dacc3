"""The callback: Spayon's signed POST."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime
from datetime import timedelta

from flask import Request
from flask import Response
from flask import request
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import RequestEntityTooLarge

from .. import signals
from ..errors import InvalidPayloadError
from ..errors import InvalidSignatureError
from ..rehearsals import REHEARSAL
from ..reports import Report
from ..signing import CHALLENGE
from ..signing import DOCTOR_HEADER
from ..signing import DOCTOR_WORD
from ..signing import verify
from ..state import Current


logger = logging.getLogger(__name__)

#: A callback has a few hundred bytes.
MAX_BODY = 64 * 1024

#: So many bytes of a larger body are read and forgotten. nginx passes on no more by default.
MAX_FORGOTTEN = 1024 * 1024

#: Anybody can send what is refused. Each reason is logged once in this time.
QUIET = timedelta(minutes=1)

_PLAIN = "text/plain; charset=utf-8"

#: Read like `HTTP_X_SIGNATURE`: to make an object of all headers takes ten times as long.
_DOCTOR_KEY = f"HTTP_{DOCTOR_HEADER.upper().replace('-', '_')}"

_UNSIGNED = [("Content-Type", _PLAIN), ("WWW-Authenticate", CHALLENGE)]


def create_callback(name: str, current: Current) -> RouteCallable:
    """Return the view that takes Spayon's callbacks for the account *name*."""
    refusals = _Refusals(name, current)

    def callback(**_: object) -> ResponseReturnValue:
        """Record what Spayon says; hearing it again changes nothing."""
        state = current()
        now = state.clock()

        # Relies on: signature-header, content-type, callback-order, callback-timeout, delivered-by
        try:
            body = read_body(request)
            signature = request.environ.get("HTTP_X_SIGNATURE", "")
            secret_index = verify(body, signature, state.settings.callback_secrets)
            report = Report.from_json(body)

        except InvalidSignatureError as error:
            return refusals.answer(401, str(error), now)

        except InvalidPayloadError as error:
            return refusals.answer(400, str(error), now)

        except RequestEntityTooLarge:
            return refusals.answer(413, "the body is larger than 64 KiB", now)

        except HTTPException:
            return refusals.answer(400, "the body could not be read to its end", now)

        # An error report shows local variables. Who signed is proven, and the report has the bytes.
        del body, signature

        # It comes to this address if Spayon goes by the defaults of the admin panel.
        nobody_s = report.order_id is None or REHEARSAL in report.order_id

        if nobody_s and state.rehearsals.has_session(report.session_id):
            return Response("a rehearsal\n", content_type=_PLAIN)

        state.storage.commit_earlier_work()

        try:
            state.storage.recorder.record(
                report, source="callback", now=now, secret_index=secret_index
            )

        except Exception:
            # Whatever it was, it was rolled back: Spayon is to deliver again.
            logger.exception(
                "callback failed; Spayon will deliver it again",
                extra={"account": name, "session_id": report.session_id},
            )
            return Response("not recorded\n", 500, content_type=_PLAIN)

        return Response(content_type=_PLAIN)

    return callback


def read_body(request: Request) -> bytes:
    """Return the body of *request*, byte for byte.

    Raises `RequestEntityTooLarge` if it has more than 64 KiB, and werkzeug's other HTTP errors.
    """
    # One byte more, since Werkzeug cuts off a body without a length at the limit.
    request.max_content_length = MAX_BODY + 1

    with suppress(RequestEntityTooLarge):
        body = request.get_data(cache=False)

        if len(body) <= MAX_BODY:
            return body

    _forget_rest(request)
    raise RequestEntityTooLarge


def _forget_rest(request: Request) -> None:
    # If a connection is closed while a proxy is still sending, it is reset, and our answer is lost
    # (RFC 9112, 9.6). Unless the server says that the body ends by itself, we would wait here for
    # bytes that nobody sends.
    if not request.environ.get("wsgi.input_terminated"):
        return

    left = MAX_FORGOTTEN

    # A sender who breaks off in the middle is refused all the same.
    with suppress(Exception):
        while left > 0 and (piece := request.environ["wsgi.input"].read(MAX_BODY)):
            left -= len(piece)


class _Refusals:
    """Answer callbacks of *account* that are refused, and log each reason once a minute."""

    def __init__(self, account: str, current: Current) -> None:
        self._account = account
        self._current = current
        self._unlogged: dict[str, int] = {}
        self._quiet_until: dict[str, datetime] = {}

    def answer(self, status_code: int, reason: str, now: datetime) -> ResponseReturnValue:
        """Return the answer to a callback that is refused for *reason*; log it, tell observers."""
        if not self._is_the_doctors():
            self._log(reason, now)
            signals.announce(
                signals.callback_refused, self._account, status_code=status_code, reason=reason
            )

        if status_code == 401:  # noqa: PLR2004  an HTTP status
            # Without a body, which would be a packet of its own: anybody can ask for this answer.
            return Response(status=401, headers=_UNSIGNED)

        return Response(f"{reason}\n", status_code, content_type=_PLAIN)

    def _is_the_doctors(self) -> bool:
        """Return True if `doctor` has sent the callback: nobody needs to be told of that."""
        shown = request.environ.get(_DOCTOR_KEY)

        if shown is None:
            return False

        try:
            verify(DOCTOR_WORD, shown, self._current().settings.callback_secrets)

        except InvalidSignatureError:
            return False

        return True

    def _log(self, reason: str, now: datetime) -> None:
        until = self._quiet_until.get(reason)

        if until is not None and now < until:
            self._unlogged[reason] = self._unlogged.get(reason, 0) + 1
            return

        self._quiet_until[reason] = now + QUIET
        more = self._unlogged.pop(reason, 0)
        logger.warning(
            "callback refused: %s%s",
            reason,
            f" ({more} more since this was last logged)" if more else "",
            extra={"account": self._account},
        )
