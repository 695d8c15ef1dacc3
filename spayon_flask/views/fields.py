"""Fields: what the checkout page asks the payer for, where the order lacks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..languages import Language
from ..orders import MAX_TEXT_LENGTH
from ..orders import Order
from ..orders import has_control_characters


# As the browsers' own check of type="email", which the payer may not have.
# Compiled when it is first used: a worker that only takes callbacks never does.
_EMAIL = r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+"


class Field(NamedTuple):
    """A form field: its texts, what the payer typed, and what is wrong with that, if anything.

    None is required, since it is unknown what Spayon refuses to do without.
    """

    name: str
    label: str
    type: str
    autocomplete: str
    inputmode: str
    value: str = ""
    error: str | None = None


def read_fields(order: Order, form: Mapping[str, str] | None, language: Language) -> list[Field]:
    """Return a field for each detail that *order* lacks, filled from *form* where there is one."""
    _ = language.gettext
    fields = [
        Field("email", _("Email"), "email", "email", "email"),
        Field("full_name", _("Full name"), "text", "name", "text"),
    ]
    wanted = [field for field in fields if getattr(order, field.name) is None]
    return wanted if form is None else [_fill(field, form, language) for field in wanted]


def not_accepted(fields: list[Field], language: Language) -> list[Field]:
    """Return *fields* after Spayon has refused the order: what was typed may be the reason."""
    _ = language.gettext
    error = _("Spayon did not accept these details. Please correct this, or leave it empty.")
    return [field._replace(error=error) if field.value else field for field in fields]


def _fill(field: Field, form: Mapping[str, str], language: Language) -> Field:
    value = form.get(field.name, "").strip()
    return Field(
        field.name,
        field.label,
        field.type,
        field.autocomplete,
        field.inputmode,
        # What cannot be shown again is not worth keeping.
        "" if has_control_characters(value) else value[: MAX_TEXT_LENGTH * 2],
        _error(field, value, language) if value else None,
    )


def _error(field: Field, value: str, language: Language) -> str | None:
    _ = language.gettext

    if len(value) > MAX_TEXT_LENGTH or has_control_characters(value):
        return _("Please shorten this, and write it in one line.")

    if field.name == "email" and not re.fullmatch(_EMAIL, value):
        return _("Please write an email address such as name@example.com.")

    return None
