"""Print the way of a first `paid` callback: each module and function of ours that it passes.

`python -m tests.benchmarks.path` delivers one callback to a shop on SQLite, with a handler, and
traces what is called from the view to the answer. It prints three tables: what our own functions
call until the commit, which is the way to read; what SQLAlchemy calls meanwhile, which are its
listeners and the types of columns; and what follows the commit.
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

OURS = "From the view to the commit"
THEIRS = "Called by SQLAlchemy on the way"
AFTERWARDS = "After the commit"

#: Parts of the functions that they stand in.
COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")

#: The functions by module, in order.
Passed = dict[str, list[str]]


def trace() -> dict[str, Passed]:
    """Return what a first `paid` callback calls, by table."""
    shop = make_shop()
    shop.add_order()

    # The first callback builds statements, which those after it find built.
    for session_id in ("S1", "S2"):
        shop.add_payment(session_id, "A1" if session_id == "S1" else shop.add_order("A2"))

    shop.deliver(report("S1"))
    tables: dict[str, Passed] = {OURS: {}, THEIRS: {}, AFTERWARDS: {}}
    is_committed = False

    def note_commit(_: Session) -> None:
        nonlocal is_committed
        is_committed = True

    def note(frame: FrameType, what: str, _: Any) -> Callable[..., Any] | None:
        path = Path(frame.f_code.co_filename)

        if what != "call" or not path.is_relative_to(PACKAGE):
            return None

        callers = _callers(frame)

        # Outside the view, or a part of the function that it stands in.
        if VIEW not in (path, *callers) or frame.f_code.co_name in COMPREHENSIONS:
            return None

        is_theirs = any(each.is_relative_to(SQLALCHEMY) for each in callers)
        table = THEIRS if is_theirs else AFTERWARDS if is_committed else OURS
        functions = tables[table].setdefault(path.relative_to(PACKAGE).as_posix(), [])

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

    return tables


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
    for table, passed in trace().items():
        functions = sum(map(len, passed.values()))
        print(f"{table}: {len(passed)} modules, {functions} functions")

        for module, names in passed.items():
            mark = "*" if table == OURS and module in MONEY_PATH else " "
            print(f"{mark} {module:32} {len(names):2} {', '.join(names)}")

        print()

    print(f"* the money path: {len(MONEY_PATH)} modules")


if __name__ == "__main__":
    main()
