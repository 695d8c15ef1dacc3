"""Languages of the pages: texts, prices and times for one payer."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone, tzinfo
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import NamedTuple

from .declines import QUOTED, decline_text

DOMAIN = "spayon"
DEFAULT = "en"

#: The codes of the languages that the pages speak, each with its own name.
NAMES = {"en": "English", "ru": "Русский", "hy": "Հայերեն"}

NO_BREAK_SPACE = "\u00a0"

#: Currencies that people write without a fraction; all others are shown with two digits.
WHOLE_CURRENCIES = frozenset({"AMD", "IRR", "ISK", "JPY", "KRW", "VND"})

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

#: Not the dram and the lari: their signs are young, and many fonts show an empty box for them.
LOCAL_SIGNS = SIGNS | {"RUB": "₽"}


@cache
def catalogue(code: str) -> NullTranslations:
    """Return the texts of the language *code*, as they ship with the package."""
    # Each message is its own English text.
    if code == DEFAULT:
        return NullTranslations()

    path = Path(__file__).parent.parent / "translations" / code / "LC_MESSAGES" / f"{DOMAIN}.mo"

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

    def knows(self, message: str) -> bool:
        """Return True if *message* is one of ours."""
        # English has no catalogue: what has a translation is ours.
        code = "ru" if self.code == DEFAULT else self.code
        return catalogue(code).gettext(message) != message

    def gettext(self, message: str, **variables: object) -> str:
        """Translate *message*, and put *variables* into its `%(name)s` places."""
        text = catalogue(self.code).gettext(message)

        return text % variables if variables else text

    def ngettext(self, singular: str, plural: str, n: int, **variables: object) -> str:
        """Translate the form of the message that goes with the number *n*."""
        return catalogue(self.code).ngettext(singular, plural, n) % {"n": n, **variables}

    def price(self, price: Decimal, currency: str) -> str:
        """Write *price* with its *currency*, never rounding money away."""
        style = FORMATS[self.code]
        currency = currency.upper()
        whole, _, fraction = f"{abs(price):f}".partition(".")
        fraction = fraction.rstrip("0")

        # A dram price with a fraction is odd, but hiding the fraction would be untrue.
        if fraction or currency not in WHOLE_CURRENCIES:
            fraction = style.decimal_point + fraction.ljust(2, "0")

        number = f"{int(whole):,}".replace(",", style.thousands) + fraction
        minus = "\u2212" if price < 0 else ""
        sign = style.signs.get(currency)

        if sign and style.sign_first:
            return f"{minus}{sign}{number}"

        return f"{minus}{number}{NO_BREAK_SPACE}{sign or currency}"

    def time(self, moment: datetime, *, seconds: bool = False) -> str:
        """Write the time of day of the aware *moment*, on the 24-hour clock."""
        local = moment.astimezone(self.zone or timezone.utc)
        clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"

        # UTC is what software falls back to: hardly a payer's own clock shows it.
        return f"{clock} UTC" if local.tzname() == "UTC" else clock

    def date(self, moment: datetime) -> str:
        """Write the day of the aware *moment*, the month as a word."""
        local, style = moment.astimezone(self.zone or timezone.utc), FORMATS[self.code]
        text = style.date.format(
            day=local.day, month=style.months[local.month - 1], year=local.year
        )
        return text.replace(" ", NO_BREAK_SPACE)

    def minutes(self, n: int) -> str:
        """Write how far away something is that happens *n* minutes from now."""
        if n < 1:
            return self.gettext("in less than a minute")

        return self.ngettext("in %(n)d minute", "in %(n)d minutes", n)

    def decline(self, decline: Mapping[str, object]) -> str:
        """Say to a payer why an attempt was declined, from one entry of `declineReasons`."""
        message, reason, code = decline_text(decline)

        if reason is None:
            return self.gettext(message)

        advice = self.gettext(message, code=code) if code else self.gettext(message)
        return f"{advice} {self.gettext(QUOTED, reason=reason)}"

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


# Our own table in place of Babel, which was measured in November 2026 (2.18, Python 3.11):
#
# - Importing `babel.numbers` and `babel.dates` takes 14 ms of processor time, and the first price
#   15 ms more. Our whole package takes 45 ms. Babel fills 33 MB on disk, and our package 1 MB.
# - Babel writes `AMD1,234,567.00` in English, and a dram price with two zeros in every language.
#   So the table of signs and the rule for whole prices would stay beside Babel.
# - Three languages with one form of price and one form of date each are 40 lines.
#
# A shop that speaks more languages uses Flask-Babel for its own pages already; ours follow the
# locale and the time zone that it chose.
class Format(NamedTuple):
    """Describe how one language writes numbers and dates."""

    thousands: str
    decimal_point: str
    signs: dict[str, str]
    sign_first: bool
    date: str
    months: tuple[str, ...]


ENGLISH = Format(
    thousands=",",
    decimal_point=".",
    signs=SIGNS,
    sign_first=True,
    date="{day} {month} {year}",
    months=(
        *("January", "February", "March", "April", "May", "June", "July", "August"),
        *("September", "October", "November", "December"),
    ),
)
RUSSIAN = Format(
    thousands=NO_BREAK_SPACE,
    decimal_point=",",
    signs=LOCAL_SIGNS,
    sign_first=False,
    date="{day} {month} {year} г.",
    months=(
        *("января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа"),
        *("сентября", "октября", "ноября", "декабря"),
    ),
)
ARMENIAN = Format(
    thousands=NO_BREAK_SPACE,
    decimal_point=",",
    signs=LOCAL_SIGNS,
    sign_first=False,
    date="{day} {month}, {year} թ.",
    months=(
        *("հունվարի", "փետրվարի", "մարտի", "ապրիլի", "մայիսի", "հունիսի", "հուլիսի"),
        *("օգոստոսի", "սեպտեմբերի", "հոկտեմբերի", "նոյեմբերի", "դեկտեմբերի"),
    ),
)
FORMATS = {"en": ENGLISH, "ru": RUSSIAN, "hy": ARMENIAN}
