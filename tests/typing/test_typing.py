"""Shop code passes strict type checkers without a cast, and its mistakes do not."""

import json
import re
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


def mypy(path: Path) -> list[int]:
    """Return the lines of *path* that mypy complains about."""
    # Warnings about ignores belong to the project's own run.
    command = [sys.executable, "-m", "mypy", "--strict", "--no-warn-unused-ignores", str(path)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode in (0, 1), found.stdout + found.stderr
    name = re.escape(str(path.relative_to(ROOT)))
    return [int(line) for line in re.findall(rf"^{name}:(\d+): error", found.stdout, re.MULTILINE)]


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


def test_mypy_finds_nothing_in_typical_shop_code() -> None:
    assert mypy(SHOP) == []


def test_pyright_finds_nothing_in_typical_shop_code(tmp_path: Path) -> None:
    assert pyright(SHOP, tmp_path) == []


def test_mypy_finds_each_mistake() -> None:
    assert sorted(set(mypy(WRONG))) == marked()


def test_pyright_finds_each_mistake(tmp_path: Path) -> None:
    assert set(pyright(WRONG, tmp_path)) >= set(marked())


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "spayon_flask" / "py.typed").is_file()


def test_the_shop_code_runs() -> None:
    assert runpy.run_path(str(SHOP))["ShopPayment"].__table__.name == "shop_payment"
