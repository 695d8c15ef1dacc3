"""The documentation site: `make docs` builds it into docs/_build."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.assumptions_page import write

write(Path(__file__).parent / "assumptions.md")

project = "spayon-flask"
author = "The spayon-flask authors"
copyright = "2026, The spayon-flask authors"  # noqa: A001  Sphinx reads this name
pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text()
release = version = re.search(r'^version = "(.*)"$', pyproject, re.MULTILINE)[1]

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"spayon-flask {release}"
html_static_path = ["_static"]

myst_enable_extensions = ["colon_fence", "deflist", "tasklist"]
myst_enable_checkboxes = True
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
# Our docstrings mark names with one backtick, as in `Order`; that is code.
default_role = "code"
