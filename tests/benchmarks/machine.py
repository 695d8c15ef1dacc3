"""What the figures were measured on: without it they say nothing."""

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from tests.benchmarks.databases import NAMES, SERVERS, connect

PACKAGES = (
    "flask",
    "werkzeug",
    "flask-sqlalchemy",
    "sqlalchemy",
    "psycopg",
    "pymysql",
    "gunicorn",
    "requests",
)


def describe(*peers: Path) -> str:
    """Name the machine, the servers and the versions in a few lines of Markdown."""
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    others = ", ".join(filter(None, (_installed(peer) for peer in peers)))
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    scale = f"; for scale {others}" if others else ""
    return "\n".join(
        (
            f"- {_processor()}, {os.cpu_count()} cores, {_memory()} GB of memory, {system}.",
            f"- Python {platform.python_version()}; {packages}{scale}.",
            f"- {'; '.join(_servers())}.",
            f"- Measured on {datetime.now(timezone.utc):%d %B %Y}.",
        )
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(absent)"


def _installed(environment: Path) -> str:
    """Read the version of the package after which a virtual environment is named."""
    name = environment.name.replace("-", "_")
    found = sorted(environment.glob(f"lib/python*/site-packages/{name}-*.dist-info"))
    return " ".join(found[0].stem.replace("_", "-").rsplit("-", 1)) if found else ""


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()

    return platform.processor() or platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _servers() -> list[str]:
    told = []
    for kind, url in {"sqlite": "sqlite://", **SERVERS}.items():
        statement = "SELECT sqlite_version()" if kind == "sqlite" else "SELECT version()"
        try:
            with connect(url) as connection:
                answer = str(connection.exec_driver_sql(statement).scalar_one())
        except SQLAlchemyError:
            continue

        number = next(word for word in answer.split() if word[0].isdigit())
        told.append(f"{NAMES[kind]} {number.partition('-')[0]}")

    return told
