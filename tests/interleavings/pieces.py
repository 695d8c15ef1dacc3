"""Pieces: what one process explores by itself."""

import contextlib
import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.databases import Databases
from tests.interleavings.explore import Explorer, Tally, all_pairs, tally
from tests.interleavings.world import world_on


class Piece(NamedTuple):
    """A state on a database; *words* are a part of the names of the pairs."""

    engine: str
    state: str
    sample: int | None
    words: str


def explore(piece: Piece) -> tuple[Piece, dict[str, Tally]]:
    """Explore *piece* in this process; return a tally of each pair."""
    # Many failures are meant here, and the commands have their say.
    logging.disable(logging.CRITICAL)
    pairs = [pair for pair in all_pairs() if pair.state == piece.state and piece.words in str(pair)]

    # Memory is disk enough for a database that is thrown away.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None

    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        TemporaryDirectory(dir=memory) as folder,
    ):
        databases = Databases(Path(folder), "spayon_interleavings")

        try:
            with world_on(databases.url(piece.engine)) as world:
                explorer = Explorer(world)
                return piece, {str(pair): tally(explorer, [pair], piece.sample) for pair in pairs}

        finally:
            databases.close()
