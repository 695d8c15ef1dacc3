"""The callback: Spayon's signed POST."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import cast

from flask import Request
from flask import Response
from flask import request
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.local import LocalProxy

from .. import signals
from ..errors import InvalidPayloadError
from ..errors import InvalidSignatureError
from ..reports import Report
from ..signing import CHALLENGE
from ..signing import verify
from ..state import Current
from .body import read_body
from .refusals import Refusals


logger = logging.getLogger(__name__)

_PLAIN = "text/plain; charset=utf-8"

_UNSIGNED = [("Content-Type", _PLAIN), ("WWW-Authenticate", CHALLENGE)]


def create_callback(name: str, current: Current) -> RouteCallable:
    """Return the view that takes Spayon's callbacks for the account *name*."""

    refusals = Refusals(name)

    def refuse(now: datetime, status_code: int, reason: str) -> ResponseReturnValue:
        refusals.note(reason, now)
        signals.announce(signals.callback_refused, name, status_code=status_code, reason=reason)

        if status_code == 401:  # noqa: PLR2004  an HTTP status
            # Without a body: it would be a packet of its own, and anybody can ask for it.
            return Response(status=401, headers=_UNSIGNED)

        return Response(f"{reason}\n", status_code, content_type=_PLAIN)

    def callback() -> ResponseReturnValue:
        """Record what Spayon says; hearing it again changes nothing."""
        state = current()
        now = state.clock()

        try:
            # Itself, and not through its proxy each time: most of what a refusal costs is look-ups.
            given = cast("LocalProxy[Request]", request)._get_current_object()  # noqa: SLF001  public, despite its name
            body = read_body(given)
            signature = given.environ.get("HTTP_X_SIGNATURE", "")
            secret_index = verify(body, signature, state.settings.callback_secrets)
            report = Report.from_json(body)

        except InvalidSignatureError as error:
            return refuse(now, 401, str(error))

        except InvalidPayloadError as error:
            return refuse(now, 400, str(error))

        except RequestEntityTooLarge:
            return refuse(now, 413, "the body is larger than 64 KiB")

        except HTTPException:
            return refuse(now, 400, "the body could not be read to its end")

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
