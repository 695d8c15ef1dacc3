"""The callback: Spayon's signed POST."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from flask import Request, Response, request
from flask.typing import ResponseReturnValue, RouteCallable
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from .. import signals
from ..domain.reports import Report
from ..domain.signing import CHALLENGE, DOCTOR_HEADER, DOCTOR_WORD, verify
from ..errors import InvalidPayloadError, InvalidSignatureError
from ..state import AppState, Current

logger = logging.getLogger(__name__)

#: A callback has a few hundred bytes.
MAX_BODY = 64 * 1024

#: So many bytes of a larger body are read and forgotten. nginx passes on no more by default.
MAX_FORGOTTEN = 1024 * 1024

#: Anybody can send what is refused. Each reason is logged once in this time.
QUIET = timedelta(minutes=1)

_PLAIN = "text/plain; charset=utf-8"

_EATEN = (
    "a body was announced, but nothing of it could be read: a before_request of the shop has read "
    "it, or the server passes no chunked bodies on"
)

#: Read like `HTTP_X_SIGNATURE`: to make an object of all headers takes ten times as long.
_DOCTOR_KEY = f"HTTP_{DOCTOR_HEADER.upper().replace('-', '_')}"

_UNSIGNED = [("Content-Type", _PLAIN), ("WWW-Authenticate", CHALLENGE)]


def create_callback(current: Current) -> RouteCallable:
    """Return the view that takes Spayon's callbacks."""
    refusals = _Refusals()

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
            if not body and _is_announced(request):
                return refusals.answer(state, 400, _EATEN, now)

            return refusals.answer(state, 401, str(error), now)

        except InvalidPayloadError as error:
            return refusals.answer(state, 400, str(error), now)

        except RequestEntityTooLarge:
            return refusals.answer(state, 413, "the body is larger than 64 KiB", now)

        except HTTPException:
            return refusals.answer(state, 400, "the body could not be read to its end", now)

        # An error report shows local variables. Who signed is proven, and the report has the bytes.
        del body, signature

        state.storage.commit_earlier_work()

        try:
            state.storage.recorder.record(
                report, source="callback", now=now, secret_index=secret_index
            )

        except Exception:
            # Whatever it was, it was rolled back: Spayon is to deliver again.
            logger.exception(
                "callback failed; Spayon will deliver it again",
                extra={"account": state.name, "session_id": report.session_id},
            )
            return Response("not recorded\n", 500, content_type=_PLAIN)

        return Response(content_type=_PLAIN)

    return callback


def _is_announced(request: Request) -> bool:
    """Return True if the sender of *request* has announced a body."""
    return bool(request.content_length) or "chunked" in request.headers.get("Transfer-Encoding", "")


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
    """Answer callbacks that are refused, and log each reason once a minute for each account."""

    def __init__(self) -> None:
        #: For each account and reason: until when the reason is not logged again, and how often it
        #: came since.
        self._quiet: dict[tuple[str, str], tuple[datetime, int]] = {}

    def answer(
        self, state: AppState, status_code: int, reason: str, now: datetime
    ) -> ResponseReturnValue:
        """Return the answer to a callback that is refused for *reason*; log it, tell observers."""
        if not _is_the_doctors(state):
            self._log(state.name, reason, now)
            state.storage.outbox.tell(
                signals.callback_refused, status_code=status_code, reason=reason
            )

        if status_code == 401:  # noqa: PLR2004  an HTTP status
            # Without a body, which would be a packet of its own: anybody can ask for this answer.
            return Response(status=401, headers=_UNSIGNED)

        return Response(f"{reason}\n", status_code, content_type=_PLAIN)

    def _log(self, account: str, reason: str, now: datetime) -> None:
        until, more = self._quiet.get((account, reason), (now, 0))

        if now < until:
            self._quiet[account, reason] = until, more + 1
            return

        self._quiet[account, reason] = now + QUIET, 0
        logger.warning(
            "callback refused: %s%s",
            reason,
            f" ({more} more since this was last logged)" if more else "",
            extra={"account": account},
        )


def _is_the_doctors(state: AppState) -> bool:
    """Return True if `doctor` has sent the callback: nobody needs to be told of that."""
    shown = request.environ.get(_DOCTOR_KEY)

    with suppress(InvalidSignatureError):
        if shown is not None:
            verify(DOCTOR_WORD, shown, state.settings.callback_secrets)
            return True

    return False
