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


@cache
def catalogue(code: str) -> GNUTranslations:
    """Read the compiled catalogue of the language *code* that ships with the package."""
    path = Path(__file__).parent / "translations" / code / "LC_MESSAGES" / f"{DOMAIN}.mo"

    with path.open("rb") as file:
        return GNUTranslations(file)


class Language(NamedTuple):
    """Speak one of the languages of the pages.

    Times are shown in *zone*, or in UTC if none is known; times in UTC say so.
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


def choose_language(*candidates: str | None) -> Language:
    """Choose the first of *candidates* that we speak, else English.

    Region and script are ignored, and so is whatever is no language code at all.
    """
    for wanted in candidates:
        code = re.split("[-_]", (wanted or "").strip().lower(), maxsplit=1)[0]

        if code in NAMES:
            return Language(code)

    return Language(DEFAULT)
