"""Unknown: reports that belong to no payment of this shop, until somebody has looked."""

from __future__ import annotations

import re
from typing import Any
from typing import NamedTuple

from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from ..errors import InvalidPayloadError
from ..reports import Report
from .desk import Desk
from .inputs import read_reason
from .payments import SHOWN
from .story import removed


class Unmatched(NamedTuple):
    """A callback *row*, what its report says, and its text; *removed* says if it is not exact."""

    row: Any
    report: Report | None
    body: str
    removed: str


def show(desk: Desk) -> ResponseReturnValue:
    """List what nobody could match, newest first."""
    rows = desk.state.storage.notes.unknown(
        limit=SHOWN + 1,
        before_id=_read_id(request.args.get("before", "")),
    )
    more = len(rows) > SHOWN
    return desk.page(
        "unknown.html",
        reports=[_read(row, desk) for row in rows[:SHOWN]],
        next_url=url_for(".unknown", before=rows[SHOWN - 1].id) if more else None,
    )


def seen(desk: Desk, callback_id: int) -> ResponseReturnValue:
    """Note that a report was looked at."""
    _ = desk.language.gettext
    notes = desk.state.storage.notes
    rows = notes.unknown(limit=1, before_id=callback_id + 1)

    if not rows or rows[0].id != callback_id:
        return desk.sorry(404, _("There is no such report, or its payment is known by now."))

    unmatched = _read(rows[0], desk)

    if request.method != "POST" or rows[0].seen_at is not None:
        code = 409 if request.method == "POST" else 200
        return desk.page("seen.html", code, unmatched=unmatched, reason=None)

    reason = read_reason(desk.language)

    if reason.error:
        return desk.page("seen.html", 422, unmatched=unmatched, reason=reason)

    noted = notes.seen(callback_id, by=desk.door.name() or "", because=reason.text, now=desk.now)
    return redirect(url_for(".unknown", done="seen" if noted else "nothing"), 303)


def _read(row: Any, desk: Desk) -> Unmatched:
    body = bytes(row.body)

    try:
        report: Report | None = Report.from_json(body)

    except InvalidPayloadError:
        report = None

    return Unmatched(row, report, body.decode(errors="replace"), removed(body, desk.language))


def _read_id(text: str) -> int | None:
    """Return the id that *text* names, or None: not every number is one."""
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None
