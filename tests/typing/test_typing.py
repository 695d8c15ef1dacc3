"""Shop code passes strict type checkers without a cast, and its mistakes do not.

mypy reads both files in `make lint`, as all others; pyright reads them here.
"""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import missing

pytestmark = pytest.mark.thorough

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHOP = HERE / "shop.py"
WRONG = HERE / "wrong.py"


def pyright(path: Path, folder: Path) -> list[int]:
    """Return the lines of *path* that pyright complains about."""
    if shutil.which("node") is None:
        missing("Node.js, which pyright runs on,")

    settings = {
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT)],
        # Flask-SQLAlchemy's, not ours: its session is generic in what it does not say.
        "reportUnknownMemberType": False,
        "reportUnusedFunction": False,
        # These are for mypy.
        "enableTypeIgnoreComments": False,
    }
    shutil.copy(path, folder)
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(folder)]
    command += ["--pythonpath", sys.executable]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    if found.returncode not in (0, 1):
        missing("pyright's own package, which it downloads,")

    answer = json.loads(found.stdout)
    assert answer["summary"]["filesAnalyzed"] == 1
    errors = answer["generalDiagnostics"]
    return [each["range"]["start"]["line"] + 1 for each in errors if each["severity"] == "error"]


def marked() -> list[int]:
    """Return the lines of wrong.py that are wrong."""
    lines = WRONG.read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if "# wrong:" in line]


def test_pyright_finds_nothing_in_typical_shop_code(tmp_path: Path) -> None:
    assert pyright(SHOP, tmp_path) == []


def test_pyright_finds_each_mistake(tmp_path: Path) -> None:
    assert set(pyright(WRONG, tmp_path)) >= set(marked())


def test_the_shop_code_runs() -> None:
    assert runpy.run_path(str(SHOP))["ShopPayment"].__table__.name == "shop_payment"
