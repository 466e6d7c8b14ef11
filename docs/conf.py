"""Sphinx's settings for the course's site. ``build.py`` gathers the sources and calls Sphinx."""

import re

project = "How a language model learns to reason"
author = "The authors of the course"
copyright = "the authors of the course, Apache-2.0"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["**/.ipynb_checkpoints"]

# The committed outputs are shown as they are: every number on the site was compared by the tests.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "html_image"]
myst_heading_anchors = 3
# A notebook's cell may open with any level of heading.
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
# The types of arguments are told in words; most of them have no page to link to.
nitpicky = False

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["playground.css"]
html_js_files = [("playground/main.js", {"type": "module"})]
html_show_sourcelink = False
html_copy_source = False
# Served with the site: nothing is asked of another host. SVG needs no fonts of its own.
mathjax_path = "mathjax/tex-svg.js"
html_favicon = "_static/favicon.svg"
html_theme_options = {
    "logo": {"text": "Learning to reason"},
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}


def _arguments_as_fields(_app, _what, _name, _obj, _options, lines: list[str]) -> None:
    """Read ``name: what it is`` at the start of a docstring's line as reStructuredText's field.

    A line that goes on with the one before is indented, in the code as in a field.
    """
    for number, line in enumerate(lines):
        start = re.match(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*): \S", line)
        goes_on = number and lines[number - 1] and not lines[number - 1].startswith((":", " "))
        if start and not goes_on:
            lines[number] = f":{line.replace('*', '')}"


def setup(app) -> None:
    app.connect("autodoc-process-docstring", _arguments_as_fields)
