"""How the site is built: Sphinx with Markdown (MyST), notebooks, and docstrings as numpydoc reads them."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "make")]

import model_pages  # noqa: E402

from sdss_gs import __version__  # noqa: E402

project = "SDSS zoo"
author = copyright = "The SDSS zoo maintainers"
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "sphinx_design", "sphinx_copybutton"]
exclude_patterns = ["_build", "make"]

# Headings have the anchors that they have where the code is kept.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "colon_fence"]
# Notebooks are executed by docs/notebooks/execute.py; without its copies they appear without results.
nb_execution_mode = "off"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
default_role = "py:obj"

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "start": []}
# Of a console block, what is typed.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True


def _write_models(app):
    model_pages.write(HERE / "models")


def _read(app, docname, source):
    """Put the table of models where it belongs, and show the executed copy of a notebook where there is one."""
    if docname == "models/index":
        source[0] = source[0].replace(model_pages.MARK, model_pages.all_models())
    copy = Path(os.environ.get("ZOO_NOTEBOOKS", "nowhere"), f"{docname.removeprefix('notebooks/')}.ipynb")
    if docname.startswith("notebooks/") and copy.is_file():
        source[0] = copy.read_text(encoding="utf-8")


def setup(app):
    """Connect both to the build."""
    app.connect("config-inited", lambda app, config: _write_models(app))
    app.connect("source-read", _read)
