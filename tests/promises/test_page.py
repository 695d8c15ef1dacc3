"""What is promised, and who can do what: the tests that the two pages name are there."""

import re
from pathlib import Path

from tests.sabotages import SABOTAGES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()
NAMED = re.compile(r"`(test_\w+)`")


def test_every_test_that_the_pages_name_is_there() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", source))
    named = {*NAMED.findall(PAGE + SECURITY)}

    assert len(named) > 60
    assert named <= there


def test_every_line_about_what_somebody_tries_names_its_test() -> None:
    tables = re.findall(r"^\| tries to .*\n\|---.*\n((?:\|.*\n)+)", SECURITY, re.MULTILINE)
    rows = [row for table in tables for row in table.splitlines()]

    assert len(rows) > 15
    assert [row for row in rows if not NAMED.search(row)] == []


def test_every_promise_has_its_section_its_tests_and_its_limits() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:11]

    assert [section.split(".")[0] for section in sections] == [str(n) for n in range(1, 11)]
    assert all("`test_" in section and "**Limits.**" in section for section in sections)


def test_every_promise_is_shown_on_every_database_by_a_test_that_always_runs() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests" / "promises").glob("test_*.py"))
    always = set(
        re.findall(
            r"@pytest\.mark\.always\ndef (test_\w+)\([^)]*(?:any|asking|pending)_shop", source
        )
    )
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:11]

    # Tokens are in no table.
    without = [part.split("\n")[0] for part in sections if not always & {*NAMED.findall(part)}]
    assert without == ["9. Tokens"]


def test_the_page_says_how_many_sabotages_there_are_at_least() -> None:
    found = re.search(r"in more than (\d+) ways", PAGE)

    assert found is not None
    assert int(found[1]) < sum(map(len, SABOTAGES.values())) < int(found[1]) + 100


def test_every_sabotage_still_fits_the_package() -> None:
    for path, group in SABOTAGES.items():
        source = (ROOT / "spayon_flask" / path).read_text()
        assert [each.old for each in group if source.count(each.old) != 1] == []
