"""Print the way of a first `paid` callback: each module and function of ours that it passes.

`python -m tests.benchmarks.path` delivers one callback to a shop on SQLite, with a handler, and
traces what our own functions call from the view to the commit, which is the way to read. What
SQLAlchemy calls meanwhile (listeners, the types of columns) and what follows is left out.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.orm import Session

import spayon_flask
from tests.kept import dispose
from tests.reports import report
from tests.shop import make_shop

PACKAGE = Path(spayon_flask.__file__).parent
SQLALCHEMY = Path(sqlalchemy.__file__).parent

VIEW = PACKAGE / "views/callback.py"

#: The money path, as the design has it.
MONEY_PATH = (
    "views/callback.py",
    "storage/recording.py",
    "domain/transitions.py",
    "storage/status.py",
    "storage/outbox.py",
)

#: Parts of the functions that they stand in.
COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")


def trace() -> dict[str, list[str]]:
    """Return what a first `paid` callback calls: the functions by module, in order."""
    shop = make_shop()
    shop.add_order()

    # The first callback builds statements, which those after it find built.
    for session_id in ("S1", "S2"):
        shop.add_payment(session_id, "A1" if session_id == "S1" else shop.add_order("A2"))

    shop.deliver(report("S1"))
    passed: dict[str, list[str]] = {}
    is_committed = False

    def note_commit(_: Session) -> None:
        nonlocal is_committed
        is_committed = True

    def note(frame: FrameType, what: str, _: Any) -> Callable[..., Any] | None:
        path = Path(frame.f_code.co_filename)

        if is_committed or what != "call" or not path.is_relative_to(PACKAGE):
            return None

        callers = _callers(frame)

        # Outside the view, or a part of the function that it stands in.
        if VIEW not in (path, *callers) or frame.f_code.co_name in COMPREHENSIONS:
            return None

        if any(each.is_relative_to(SQLALCHEMY) for each in callers):
            return None

        functions = passed.setdefault(path.relative_to(PACKAGE).as_posix(), [])

        if (name := _name(frame)) not in functions:
            functions.append(name)

        return None

    event.listen(Session, "after_commit", note_commit)
    sys.setprofile(note)

    try:
        assert shop.deliver(report("S2", orderId="A2")) == 200

    finally:
        sys.setprofile(None)
        event.remove(Session, "after_commit", note_commit)
        dispose(shop)

    return passed


def _callers(frame: FrameType) -> list[Path]:
    """Return the files of the functions that have called that of *frame*, up to the view."""
    callers: list[Path] = []

    while VIEW not in callers and (caller := frame.f_back) is not None:
        callers.append(Path(caller.f_code.co_filename))
        frame = caller

    return callers


def _name(frame: FrameType) -> str:
    # With its class from Python 3.11 on.
    return str(getattr(frame.f_code, "co_qualname", frame.f_code.co_name))


def main() -> None:
    """Print the modules and functions, and count them."""
    passed = trace()
    print(f"{len(passed)} modules, {sum(map(len, passed.values()))} functions")

    for module, names in passed.items():
        mark = "*" if module in MONEY_PATH else " "
        print(f"{mark} {module:32} {len(names):2} {', '.join(names)}")

    print(f"* the money path: {len(MONEY_PATH)} modules")


if __name__ == "__main__":
    main()
