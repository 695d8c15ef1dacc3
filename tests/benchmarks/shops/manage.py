"""Set up a shop's database from within the virtual environment that the shop runs in."""

import importlib
import sys


def main(name: str, command: str, *numbers: str) -> None:
    """Run *command* of the shop called *name*: `create`, or `fill FIRST COUNT`."""
    shop = importlib.import_module(f"tests.benchmarks.shops.{name}")
    getattr(shop, command)(*map(int, numbers))


if __name__ == "__main__":
    main(*sys.argv[1:])
