"""Fields: what the checkout page asks the payer for, if the order lacks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..languages import Language
from ..orders import MAX_TEXT_LENGTH
from ..orders import Order
from ..orders import has_control_characters
from ..state import AppState


# As the browsers' own check of type="email", which the payer may not have.
# Compiled when it is first used: a worker that only takes callbacks never does.
_EMAIL = r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+"


class Field(NamedTuple):
    """A form field: its texts, what the payer typed, and what is wrong with that, if anything.

    None is required, since it is unknown what Spayon refuses to do without.
    """

    name: str
    label: str
    hint: str
    type: str
    autocomplete: str
    inputmode: str
    value: str = ""
    error: str | None = None

    def __repr__(self) -> str:
        return f"Field({self.name!r})"

    def __sentry_repr__(self) -> str:
        return repr(self)


def read_fields(
    state: AppState, order: Order, language: Language, form: Mapping[str, str] | None = None
) -> list[Field]:
    """Return a field for each detail that *order* lacks, filled from *form* if there is one.

    None if the shop has set ASK_DETAILS to false.
    """
    if not state.settings.ask_details:
        return []

    _ = language.gettext
    receipt = _("So that you can be reached about this payment. It is passed on to Spayon.")
    fields = [
        Field("email", _("Email"), receipt, "email", "email", "email"),
        Field("full_name", _("Full name"), _("It is passed on to Spayon."), "text", "name", "text"),
    ]
    wanted = [field for field in fields if getattr(order, field.name) is None]
    return wanted if form is None else [_fill(field, form, language) for field in wanted]


def not_accepted(fields: list[Field], language: Language) -> list[Field]:
    """Return *fields* after Spayon has refused the order.

    What was typed may be the reason; if nothing was, Spayon may insist on it.
    """
    _ = language.gettext
    error = _("Spayon did not accept these details. Please correct this, or leave it empty.")
    wanted = _("Spayon did not accept the order without this. Please fill it in.")

    if not any(field.value for field in fields):
        return [field._replace(error=wanted) for field in fields]

    return [field._replace(error=error) if field.value else field for field in fields]


def _fill(field: Field, form: Mapping[str, str], language: Language) -> Field:
    value = form.get(field.name, "").strip()
    return field._replace(
        # What cannot be shown again is not worth keeping.
        value="" if has_control_characters(value) else value[: MAX_TEXT_LENGTH * 2],
        error=_error(field, value, language) if value else None,
    )


def _error(field: Field, value: str, language: Language) -> str | None:
    _ = language.gettext

    if len(value) > MAX_TEXT_LENGTH or has_control_characters(value):
        return _("Please shorten this, and write it in one line.")

    if field.name == "email" and not re.fullmatch(_EMAIL, value):
        return _("Please write an email address such as name@example.com.")

    return None
