"""The cron line and the systemd unit of the docs run as they are written, with no environment."""

import configparser
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.many import add_many
from tests.needs import missing
from tests.shop import CONFIG, Shop

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
UNIT = EXAMPLES / "shop-reconcile.service"

SHOP = """
import sys
sys.path.insert(0, {root!r})
import os
from tests.shop import make_shop

def create_app():
    names = [name for name in os.environ if name.startswith("FLASK_SPAYON_")]
    given = {{name.removeprefix("FLASK_"): os.environ[name] for name in names}}
    return make_shop(os.environ["SHOP_DATABASE"], fresh=False, **given).app
"""


@pytest.fixture
def folder(tmp_path: Path, scripted: Gateway) -> Path:
    """A folder like /srv/shop: the shop, its environment and its virtual environment."""
    (tmp_path / "shop.py").write_text(SHOP.format(root=str(ROOT)))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    lines = [
        f"FLASK_SPAYON_API_URL={scripted.url}",
        f"FLASK_SPAYON_CLIENT_SECRET={CONFIG['SPAYON_CLIENT_SECRET']}",
        f"SHOP_DATABASE=sqlite:///{tmp_path / 'shop.db'}",
    ]
    (tmp_path / "shop.env").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def shop(own_shop: Callable[..., Shop], folder: Path, scripted: Gateway) -> Shop:
    """The shop of that folder, with a payment that is due."""
    shop = own_shop(f"sqlite:///{folder / 'shop.db'}", SPAYON_API_URL=scripted.url)
    add_many(shop, 1)
    return shop


def unit() -> configparser.ConfigParser:
    """Read the unit."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as the module's docs say
    parser.read(UNIT)
    return parser


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the service as systemd does."""
    service = unit()["Service"]
    assert service["EnvironmentFile"] == "/srv/shop/shop.env"
    lines = (folder / "shop.env").read_text().splitlines()

    return subprocess.Popen(
        [*service["ExecStart"].replace("/srv/shop", str(folder)).split(), *arguments],
        env=dict(line.split("=", 1) for line in lines),
        cwd=service["WorkingDirectory"].replace("/srv/shop", str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_cron_line_runs_in_an_empty_environment(shop: Shop, folder: Path) -> None:
    lines = (EXAMPLES / "shop-reconcile.cron").read_text().splitlines()
    (line,) = [each for each in lines if each.startswith("*")]
    *when, user, command = line.split(maxsplit=6)
    assert (when, user) == (["*"] * 5, "shop")
    # cron takes an unescaped percent sign for a line break.
    assert "%" not in command

    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("/srv/shop", str(folder))],
        env={"PATH": "/usr/bin:/bin", "HOME": "/", "SHELL": "/bin/sh"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    # Not a mail each minute.
    assert done.stdout == ""
    assert shop.payment().status == "paid"


def test_the_service_runs_in_an_empty_environment_until_it_is_stopped(
    shop: Shop, folder: Path
) -> None:
    process = start(folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "S1: paid\n"
    process.terminate()
    process.communicate(timeout=30)

    assert process.returncode == 0


def test_the_service_is_started_with_the_system_and_does_not_hide_a_typing_mistake(
    folder: Path, shop: Shop
) -> None:
    service = unit()["Service"]
    assert unit()["Install"]["WantedBy"] == "multi-user.target"

    process = start(folder, "--jbos", "3")
    process.communicate(timeout=60)
    code = str(process.returncode)

    assert code == service["RestartPreventExitStatus"]
    assert code not in service["SuccessExitStatus"].split()


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")

    if analyze is None:
        missing("systemd-analyze")

    # It looks for the program and the user.
    user = pwd.getpwuid(os.getuid()).pw_name
    text = UNIT.read_text().replace("/srv/shop/.venv/bin/flask", sys.executable)
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("User=shop", f"User={user}"))
    done = subprocess.run(
        [analyze, "verify", copy], capture_output=True, text=True, timeout=60, check=False
    )

    assert UNIT.name not in done.stderr, done.stderr
    assert done.returncode == 0
