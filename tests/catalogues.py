"""Bring the catalogues up to date: `python -m tests.catalogues`, or `make catalogues`.

Each `spayon.po` gets the messages that templates and code have, in their order: what is new has an
empty text, for somebody to fill in, and what nothing uses any more goes. Each `spayon.mo` is
compiled from it. English needs no catalogue: each message is itself the text.
"""

import io
import sys
from datetime import datetime, timezone
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import spayon_flask

PACKAGE = Path(spayon_flask.__file__).parent

#: The languages that have a catalogue.
CODES = ("ru", "hy")

METHODS = [
    ("simulator/**", "ignore"),
    ("**.py", "python"),
    ("**.html", "jinja2.ext:babel_extract"),
]
KEYWORDS = {
    "_": None,
    "spayon_text": None,
    "gettext": None,
    "ngettext": (1, 2),
    "spayon_ngettext": (1, 2),
    "translatable": None,
}

#: So that the same texts make the same bytes.
_ANY_DAY = datetime(2026, 1, 1, tzinfo=timezone.utc)

Key = str | tuple[str, ...]


def messages_in_use() -> list[Key]:
    """Return every message of the templates and the code, in the order of their files."""
    found = extract_from_dir(str(PACKAGE), METHODS, keywords=KEYWORDS, comment_tags=())
    rows = sorted(found, key=lambda row: (row[0], row[1]))
    return list(dict.fromkeys(row[2] for row in rows))


def folder(code: str) -> Path:
    """Return where the catalogue of the language *code* is."""
    return PACKAGE / "translations" / code / "LC_MESSAGES"


def read(code: str) -> Catalog:
    """Return the catalogue that people edit."""
    with (folder(code) / "spayon.po").open("rb") as file:
        return read_po(file, locale=code)


def renew(code: str) -> list[Key]:
    """Write both files of the language *code*; return the messages that have no text yet."""
    old = read(code)
    path = folder(code) / "spayon.po"
    header = path.read_text(encoding="utf-8").partition("\n\n")[0]
    new = Catalog(locale=code, creation_date=_ANY_DAY, revision_date=_ANY_DAY, fuzzy=False)
    # Babel's own rule for Armenian has one form more.
    new.mime_headers = [each for each in old.mime_headers if each[0] == "Plural-Forms"]

    for key in messages_in_use():
        found = old.get(key if isinstance(key, str) else key[0])
        new.add(key, found.string if found else "")

    body = io.BytesIO()
    write_po(body, new, width=100, no_location=True, omit_header=True)
    path.write_text(f"{header}\n\n{body.getvalue().decode()}", encoding="utf-8")

    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, new)

    return [key_of(each) for each in new if each.id and not all(texts_of(each))]


def key_of(message: Message) -> Key:
    """Return *message* as it stands in the code, its plural too."""
    return message.id if isinstance(message.id, str) else tuple(message.id)


def texts_of(message: Message) -> list[str]:
    """Return the translation of *message*, each of its plural forms."""
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def main() -> None:
    """Renew all catalogues, and tell what is missing."""
    missing = {code: renew(code) for code in CODES}

    for code, keys in missing.items():
        for key in keys:
            print(f"{code}: no text for {key!r}")

    sys.exit(1 if any(missing.values()) else 0)


if __name__ == "__main__":
    main()
