"""Chaos: many payments while everything fails, and the two ledgers compared at the end.

`python -m tests.benchmarks.chaos --payments 20000 --workers 4 --seed 1 --database postgresql`
"""

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.run import Chaos
from tests.databases import ENGINES, Databases


def main() -> int:
    """Run on each database that was asked for; 1 if something was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.chaos")
    parser.add_argument("--payments", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", action="append", choices=ENGINES)
    options = parser.parse_args()

    # Thousands of failures are meant here.
    logging.disable(logging.ERROR)
    sound = True

    with TemporaryDirectory() as folder:
        databases = Databases(Path(folder), "spayon_chaos")

        try:
            for engine in options.database or ENGINES:
                chaos = Chaos(
                    options.payments, options.workers, options.seed, databases.url(engine)
                )
                ledger = chaos.run()
                sound = sound and ledger.sound
                print(
                    f"\n{engine}: {options.payments} payments, {options.workers} workers, ", end=""
                )
                print(f"seed {options.seed}, {chaos.kills} workers killed, ", end="")
                print(f"{chaos.seconds:.0f} s")

                for name, value in asdict(ledger).items():
                    print(f"  {name.replace('_', ' '):16}{value}")

                print(f"  {'payers':16}{dict(chaos.seen)}", flush=True)

        finally:
            databases.close()

    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
