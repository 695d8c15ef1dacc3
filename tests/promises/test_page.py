"""The page "What is promised": the tests that it names are there, and its figures are true."""

from __future__ import annotations

import re
from pathlib import Path

from tests.sabotages import SABOTAGES


ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text()


def test_every_test_that_the_page_names_is_there() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", source))
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 40
    assert named <= there


def test_every_promise_has_its_section_its_tests_and_its_limits() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:11]

    assert [section.split(".")[0] for section in sections] == [str(n) for n in range(1, 11)]
    assert all("`test_" in section and "**Limits.**" in section for section in sections)


def test_the_page_says_how_many_sabotages_there_are_at_least() -> None:
    found = re.search(r"in more than (\d+) ways", PAGE)

    assert found is not None
    assert int(found[1]) < len(SABOTAGES) < int(found[1]) + 100


def test_every_sabotage_still_fits_the_package() -> None:
    for each in SABOTAGES:
        source = (ROOT / "spayon_flask" / each.path).read_text()
        assert source.count(each.old) == 1, each.name
