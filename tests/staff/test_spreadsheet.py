"""The export opened in LibreOffice: nothing is computed, and amounts are numbers."""

import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.staff.conftest import Desk
from tests.staff.test_pages import pay

#: What the filter takes: the separator, quotes, UTF-8, the first line, the language of numbers;
#: it looks for special numbers, such as days, and computes formulas.
FILTERS = {
    "en": "CSV:44,34,76,1,,1033,false,true,false,false,false,true",
    "ru": "CSV:59,34,76,1,,1049,false,true,false,false,false,true",
}

#: A spreadsheet would compute these texts, or write them in another way.
ORDERS = (
    *("=1+1", "+1+1", "-1+1", "@SUM(1;1)", '=HYPERLINK("http://evil.example")', "tea;=1+1"),
    *("0012", "2026-11", "12E5", "11/22", "12 Nov", "1.10"),
)

TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"

pytestmark = [
    pytest.mark.thorough,
    # Hundreds of megabytes, which no other test needs: so this is tried by hand, and not by CI.
    pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed"),
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("language", FILTERS)
def test_libreoffice_computes_nothing_and_takes_amounts_for_numbers(
    desk: Desk, tmp_path: Path, language: str
) -> None:
    for number, order_id in enumerate(ORDERS):
        pay(desk.shop, order_id, f"S{number}", price="9.5")

    answer = desk.get(
        "/export.csv?from=2026-11-01&to=2026-11-30", headers={"Accept-Language": language}
    )
    (tmp_path / "books.csv").write_bytes(answer.data)
    rows = opened(tmp_path, FILTERS[language])[1:]

    assert len(rows) == len(ORDERS)
    assert not [cell for row in rows for cell in row if cell.get(f"{TABLE}formula")]

    for row, order_id in zip(rows, ORDERS, strict=True):
        assert row[1].get(f"{OFFICE}value-type") == "string"
        assert "".join(row[1].itertext()).strip().replace("'", "") == order_id
        assert row[4].get(f"{OFFICE}value-type") == "float"
        assert Decimal(row[4].get(f"{OFFICE}value", "")) == Decimal("9.5")


def opened(folder: Path, csv_filter: str) -> list[list[Any]]:
    """Return the cells of each row, as LibreOffice understands the file."""
    command = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile"]
    command += [f"--infilter={csv_filter}", "--convert-to", "fods", "--outdir", str(folder)]
    command.append(str(folder / "books.csv"))
    subprocess.run(command, check=True, capture_output=True, timeout=150)
    rows = ElementTree.parse(folder / "books.fods").iter(f"{TABLE}table-row")
    cells = [row.findall(f"{TABLE}table-cell") for row in rows]
    return [row for row in cells if len(row) > 1]
