"""What runs of a shop beside its web server: commands, a Celery worker, and its database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import create_engine, text


class Processes:
    """Run what a shop's people run, in *folder* and with *environment*."""

    def __init__(self, folder: Path, database: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {**environment, "FLASK_SQLALCHEMY_DATABASE_URI": database}
        self._engine = create_engine(database)

    def run(self, *arguments: str, **environment: str) -> str:
        """Run Python, which must end well; return what it wrote."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextmanager
    def worker(self, app: str) -> Iterator[None]:
        """Run the Celery worker of *app*."""
        quick = ("-P", "solo", "-l", "INFO", "--without-gossip", "--without-mingle")

        with (self.folder / "worker.log").open("w") as log:
            process = subprocess.Popen(
                [*(sys.executable, "-m", "celery", "-A", app, "worker", *quick)],
                cwd=self.folder,
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
            )

            try:
                yield

            finally:
                process.terminate()
                process.wait(30)

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        with self._engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def execute(self, statement: str, **values: object) -> None:
        """Change the database."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def close(self) -> None:
        """Leave the database."""
        self._engine.dispose()


def forget(redis_url: str, queue: str) -> None:
    """Leave nothing of *queue* in Redis."""
    with redis.Redis.from_url(redis_url) as server:
        for key in server.scan_iter(f"*{queue}*"):
            server.delete(key)
