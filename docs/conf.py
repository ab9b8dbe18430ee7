"""Sphinx configuration. ``sphinx-build docs docs/_build`` makes the documentation."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
# The tables of settings and operations are made by a module beside this one, from the package of this checkout.
sys.path[:0] = [str(HERE), str(HERE.parent)]

import twisted_s3  # noqa: E402

project = "twisted-s3"
author = "twisted-s3 maintainers"
copyright = f"2026, {author}"
release = version = twisted_s3.__version__

extensions = ["sphinx.ext.autodoc", "generated_interfaces", "generated_tables"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# Docstrings name parts of the code that are not public, in the roles that say what they are.
nitpick_ignore_regex = [("py:.*", r"(?!twisted_s3\.(testing|service|model)\.).*")]
exclude_patterns = ["_build"]
nitpicky = True
html_theme = "furo"
html_title = "twisted-s3"
