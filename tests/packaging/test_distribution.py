"""What is published: complete, without strays, and enough for the README's shop."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest
import requests

from spayon_flask.simulator import Simulator
from tests.needs import missing
from tests.packaging.versions import uv
from tests.test_docs import README, blocks

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build; return the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def wheel(built: tuple[Path, Path]) -> set[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(built[0]) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist(built: tuple[Path, Path]) -> set[str]:
    """The names of the files in the sdist, without its top folder."""
    with tarfile.open(built[1]) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def metadata(built: tuple[Path, Path]) -> Message:
    """The metadata of the wheel."""
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith("/METADATA")]
        return message_from_string(archive.read(name).decode())


def shipped() -> set[str]:
    """Return every file of the package that is under version control, or would be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "spayon_flask"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in found.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: set[str]) -> None:
    assert {name for name in wheel if ".dist-info/" not in name} == shipped()


def test_the_sdist_holds_what_builds_tests_and_explains_it(sdist: set[str]) -> None:
    known = {path.name for path in ROOT.iterdir() if path.suffix in {".md", ".py", ".toml", ".txt"}}

    assert sdist >= shipped() | known | {"LICENSE", "Makefile", "docs/conf.py", "docs/index.md"}
    assert sdist >= {"tests/conftest.py", "tests/packaging/test_distribution.py"}


def test_nothing_that_was_made_on_the_way_is_published(wheel: set[str], sdist: set[str]) -> None:
    strays = r"__pycache__|\.pyc$|\.db$|docs/_build|\.venv|\.pytest_cache|instance/"

    assert [name for name in wheel | sdist if re.search(strays, name)] == []


def test_the_metadata_is_complete(metadata: Message) -> None:
    for field in ("Name", "Version", "Summary", "Author", "License-Expression", "Keywords"):
        assert metadata[field], field

    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata.get_all("Project-URL")
    assert {"Framework :: Flask", "Typing :: Typed"} <= set(metadata.get_all("Classifier") or [])
    assert set(metadata.get_all("Provides-Extra") or []) == {"cachelib"}


def test_the_version_is_that_of_the_changelog(metadata: Message) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert re.findall(r"^## (\d[\w.]*)", changelog, re.MULTILINE)[0] == metadata["Version"]


@pytest.mark.parametrize("checker", ["twine", "check-wheel-contents"])
def test_the_tools_of_the_index_have_nothing_to_say(built: tuple[Path, Path], checker: str) -> None:
    tool = Path(sys.executable).with_name(checker)
    options = ["check", "--strict", *map(str, built)] if checker == "twine" else [str(built[0])]

    found = subprocess.run([tool, *options], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture(scope="module")
def empty_environment(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it asks for; its folder of programs."""
    folder = tmp_path_factory.mktemp("environment")
    environment = {**os.environ, "VIRTUAL_ENV": str(folder)}
    make = [uv(), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)]
    install = [uv(), "pip", "install", "--quiet", str(built[0])]
    subprocess.run(make, check=True)
    found = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)

    if found.returncode:
        missing("a package index to install from")

    return folder / "bin"


@contextmanager
def running(command: list[str], sign: str, folder: Path, **environment: str) -> Iterator[None]:
    """Run *command* in *folder*, once it has said *sign*."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any(sign in line for line in process.stdout)
    yield
    process.terminate()
    process.communicate(timeout=30)


def test_the_readme_s_shop_takes_a_payment_in_an_empty_environment(
    empty_environment: Path, tmp_path: Path, port: int
) -> None:
    program = next(code for _, code in blocks(README) if "def create_app" in code)
    (tmp_path / "shop.py").write_text(program)
    flask = [str(empty_environment / "flask"), "--app", "shop"]
    url = f"http://127.0.0.1:{port}"
    serve = [*flask, "run", "--port", str(port)]

    with Simulator(time_scale=0) as gateway:
        settings = {
            "FLASK_SPAYON_API_URL": gateway.url,
            "FLASK_SPAYON_CLIENT_ID": gateway.client_id,
            "FLASK_SPAYON_CLIENT_SECRET": gateway.client_secret,
            "FLASK_SPAYON_CALLBACK_SECRET": gateway.callback_secret,
        }
        environment = {**os.environ, **settings}
        subprocess.run([*flask, "create-tables"], cwd=tmp_path, env=environment, check=True)

        with running(serve, "Running on", tmp_path, **settings):
            checkout = requests.post(url, timeout=30)
            answer = requests.post(checkout.url, timeout=30, allow_redirects=False)
            session_id = answer.headers["Location"].rsplit("/", 1)[1]
            delivery = gateway.pay(session_id)
            again = requests.post(checkout.url, timeout=30, allow_redirects=False)

    assert checkout.status_code == 200
    assert delivery is not None
    assert delivery.status_code == 200
    assert "/pay/return" in again.headers["Location"]


def test_the_simulator_runs_from_the_wheel(
    empty_environment: Path, tmp_path: Path, port: int
) -> None:
    command = [str(empty_environment / "python"), "-m", "spayon_flask.simulator"]
    body = {"client_id": "simulator-client", "client_secret": "simulator-secret"}

    with running([*command, "--port", str(port)], str(port), tmp_path):
        answer = requests.post(f"http://127.0.0.1:{port}/api/tokens", json=body, timeout=30)

    assert answer.json()["token_type"] == "Bearer"


def test_every_module_of_the_wheel_imports_without_extras(
    empty_environment: Path, tmp_path: Path
) -> None:
    # The helpers for pytest ask for pytest.
    code = (
        "import importlib, pkgutil, spayon_flask\n"
        "for module in pkgutil.walk_packages(spayon_flask.__path__, 'spayon_flask.'):\n"
        "    if module.name.split('.')[1] != 'testing':\n"
        "        importlib.import_module(module.name)\n"
    )

    found = subprocess.run(
        [str(empty_environment / "python"), "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stderr
