"""Languages of the pages: texts, prices and times for one payer."""

import re
from collections.abc import Iterable
from collections.abc import Mapping
from datetime import datetime
from datetime import timezone
from datetime import tzinfo
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from typing import NamedTuple

from .declines import decline_text
from .formats import format_date
from .formats import format_price
from .formats import format_time


DOMAIN = "spayon"
DEFAULT = "en"

#: The codes of the languages that the catalogues hold, each with its own name.
NAMES = {"en": "English", "ru": "Русский", "hy": "Հայերեն"}

# Compiled when it is first used: a worker that only takes callbacks never does.
ACCEPTED = r"\s*([a-z]{1,8})(?:[-_][a-z0-9_-]{1,40})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*"

#: A longer `Accept-Language` header is no browser's; the rest of it is not read.
LONGEST_HEADER = 1000


@cache
def catalogue(code: str) -> GNUTranslations:
    """Read the compiled catalogue of the language *code* that ships with the package."""
    path = Path(__file__).parent / "translations" / code / "LC_MESSAGES" / f"{DOMAIN}.mo"

    with path.open("rb") as file:
        return GNUTranslations(file)


class Language(NamedTuple):
    """Speak one of the languages of the pages.

    Times are shown in *zone*, or in UTC where none is known; times in UTC say so.
    """

    code: str
    zone: tzinfo | None = None

    @property
    def name(self) -> str:
        """Give the language's own name, for a link that switches to it."""
        return NAMES[self.code]

    def in_zone(self, zone: tzinfo | None) -> "Language":
        """Give the same language with times in *zone*."""
        return self._replace(zone=zone)

    def gettext(self, message: str, **variables: object) -> str:
        """Translate *message*, and put *variables* into its `%(name)s` places."""
        text = catalogue(self.code).gettext(message)

        return text % variables if variables else text

    def ngettext(self, singular: str, plural: str, n: int, **variables: object) -> str:
        """Translate the form of the message that goes with the number *n*."""
        return catalogue(self.code).ngettext(singular, plural, n) % {"n": n, **variables}

    def price(self, price: Decimal, currency: str) -> str:
        """Write *price* with its *currency*, exactly."""
        return format_price(price, currency, self.code)

    def time(self, moment: datetime) -> str:
        """Write the time of day of the aware *moment*."""
        local = moment.astimezone(self.zone or timezone.utc)
        clock = format_time(local)

        # UTC is what software falls back to: hardly a payer's own clock shows it.
        return f"{clock} UTC" if local.tzname() == "UTC" else clock

    def date(self, moment: datetime) -> str:
        """Write the day of the aware *moment*."""
        return format_date(moment.astimezone(self.zone or timezone.utc), self.code)

    def minutes(self, n: int) -> str:
        """Write how far away something is that happens *n* minutes from now."""
        if n < 1:
            return self.gettext("in less than a minute")

        return self.ngettext("in %(n)d minute", "in %(n)d minutes", n)

    def decline(self, decline: Mapping[str, object]) -> str:
        """Say to a payer why an attempt was declined, from one entry of `declineReasons`."""
        message, reason = decline_text(decline)

        return self.gettext(message) if reason is None else self.gettext(message, reason=reason)

    def declines(self, declines: Iterable[Mapping[str, object]]) -> list[str]:
        """Say why attempts were declined, each reason once, in the order they came."""
        return list(dict.fromkeys(self.decline(decline) for decline in declines))


def choose_language(*candidates: str | None, accept: str | None = None) -> Language:
    """Choose the first of *candidates* that we speak, else what *accept* asks for, else English.

    *accept* is an `Accept-Language` header. Region and script are ignored, and so is
    whatever is no language code at all.
    """
    for wanted in (*candidates, *accepted(accept)):
        code = re.split("[-_]", (wanted or "").strip().lower(), maxsplit=1)[0]

        if code in NAMES:
            return Language(code)

    return Language(DEFAULT)


def accepted(header: str | None) -> list[str]:
    """List the language codes of an `Accept-Language` *header*, the best liked first."""
    weights: dict[str, float] = {}

    for part in (header or "")[:LONGEST_HEADER].lower().split(","):
        if match := re.fullmatch(ACCEPTED, part):
            code, weight = match.group(1), float(match.group(2) or 1)
            weights[code] = max(weight, weights.get(code, 0.0))

    return sorted((code for code in weights if weights[code] > 0), key=lambda code: -weights[code])
