"""The shops under load: ours, floors written by hand, and relatives from the package index.

Each module is a WSGI application called `application` that takes callbacks, and has `create()`,
which makes its tables, and `fill(first, count)`, which places orders and opens payments.
The database comes from the environment: see `database_url`.
"""

import os

DATABASE = "SPAYON_BENCH_DATABASE"


def database_url() -> str:
    """Read which database this shop works on, as SQLAlchemy writes it."""
    return os.environ[DATABASE]
