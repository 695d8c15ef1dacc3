"""Reasons: why a person decides, as typed into a form."""

from __future__ import annotations

from typing import NamedTuple

from flask import request

from ..languages import Language
from ..orders import has_control_characters


#: So long may a reason be: it is read in a list.
LONGEST = 1000


class Reason(NamedTuple):
    """What was typed, and what is wrong with it."""

    text: str
    error: str | None = None


def read_reason(language: Language) -> Reason:
    """Return the reason in the form that was sent."""
    # Browsers send the lines of a text area apart.
    text = " ".join(request.form.get("reason", "").split())

    if not text:
        return Reason("", language.gettext("Please write why: it is kept with the payment."))

    if has_control_characters(text):
        return Reason("", language.gettext("Please write it in plain letters."))

    if len(text) > LONGEST:
        return Reason(
            text[: LONGEST * 2],
            language.gettext("Please shorten this to %(n)d letters.", n=LONGEST),
        )

    return Reason(text)
