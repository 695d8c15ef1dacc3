"""The arrows of the design: each module imports only what stands below it."""

import ast
import subprocess
import sys
from pathlib import Path

import spayon_flask

PACKAGE = Path(__file__).parent.parent / "spayon_flask"

#: From top to bottom. A module may import from lower lines, and a package from its own parts.
LAYERS = [
    ["rehearsal"],
    ["__init__"],
    ["spayon"],
    ["desk"],
    ["views", "cli", "testing"],
    ["state"],
    ["urls"],
    ["checkout"],
    ["reconcile"],
    ["client", "storage"],
    ["settings"],
    ["domain"],
    ["signals"],
    ["errors"],
]

HEIGHT = {name: -position for position, layer in enumerate(LAYERS) for name in layer}

#: A rehearsal needs a gateway and what is decided, and nothing of a shop.
REHEARSED = {"client", "domain", "settings", "errors"}

#: Who may import what of others.
ALLOWED = {
    "flask": {"spayon", "state", "urls", "views", "desk", "cli", "testing", "simulator"},
    "flask_sqlalchemy": {"spayon"},
    "werkzeug": {
        "cli",
        *("spayon", "urls", "views", "desk", "domain", "testing", "simulator", "rehearsal"),
    },
    "sqlalchemy": {"storage"},
    "requests": {"client"},
}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Return the absolute names of all that a module imports, wherever in it."""
    found = []

    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]

        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module or "")

        elif isinstance(node, ast.ImportFrom):
            here = ["spayon_flask", *path.with_suffix("").parts]
            base = here[: len(here) - node.level]
            found += [
                ".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names
            ]

    return found


IMPORTED = [(path, name) for path in MODULES for name in imports(path)]


def test_a_module_imports_only_what_stands_below_it() -> None:
    for path, name in IMPORTED:
        first, _, rest = name.partition(".")
        other = rest.partition(".")[0]

        if first != "spayon_flask" or other == part(path):
            continue

        assert part(path) != "simulator", f"the simulator imports {name}"

        # A shop's tests pay there; nothing else of ours needs it.
        if other == "simulator":
            assert part(path) == "testing", f"{path} imports {name}"
            continue

        # The command hands over to it; no worker imports the command.
        if other == "rehearsal":
            assert path == Path("cli/develop.py"), f"{path} imports {name}"
            continue

        if part(path) == "rehearsal":
            assert other in REHEARSED, f"{path} imports {name}"

        assert HEIGHT[other] < HEIGHT[part(path)], f"{path} imports {name}"


def test_no_two_modules_import_each_other() -> None:
    names = {".".join(["spayon_flask", *path.with_suffix("").parts]): path for path in MODULES}
    pairs = {
        (path, names[known])
        for path, name in IMPORTED
        for known in (name, name.rpartition(".")[0])
        if known in names and names[known] != path
    }

    assert not {pair for pair in pairs if pair[::-1] in pairs}


def test_a_module_has_at_most_300_lines() -> None:
    long = [path for path in MODULES if len((PACKAGE / path).read_text().splitlines()) > 300]
    assert long == []


def test_foreign_packages_stay_in_their_places() -> None:
    for path, name in IMPORTED:
        allowed = ALLOWED.get(name.partition(".")[0])
        assert allowed is None or part(path) in allowed, f"{path} imports {name}"


def test_every_module_has_its_place() -> None:
    assert {part(path) for path in MODULES} - {"simulator"} <= set(HEIGHT)


def test_all_names_of_the_package_exist_and_are_sorted() -> None:
    assert all(hasattr(spayon_flask, name) for name in spayon_flask.__all__)
    assert spayon_flask.__all__ == sorted(spayon_flask.__all__)


def test_what_only_an_operator_needs_is_not_imported_by_a_web_worker() -> None:
    program = "import sys, flask, flask_sqlalchemy, requests, spayon_flask; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, text=True
    )
    loaded = set(done.stdout.split())

    assert "spayon_flask.storage.recording" in loaded
    assert not loaded & {
        "spayon_flask.cli.doctor",
        "spayon_flask.cli.upkeep",
        "spayon_flask.reconcile.run",
        "spayon_flask.rehearsal",
        "spayon_flask.simulator",
        "spayon_flask.desk",
        "spayon_flask.storage.inspection",
        "spayon_flask.storage.ledger",
        "spayon_flask.storage.pruning",
        "spayon_flask.storage.decisions",
        "spayon_flask.testing",
        "sqlalchemy.dialects.mysql",
        "sqlalchemy.dialects.postgresql",
    }
