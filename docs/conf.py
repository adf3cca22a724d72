"""Settings of Sphinx; docs/build.py runs it."""

from zoo import __version__

project, author = "zoo", "the authors of zoo"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "zoo"
html_theme_options = {"navigation_with_keys": True}
myst_heading_anchors = 4
myst_enable_extensions = ["html_image", "attrs_inline"]
autodoc_typehints = "none"  # they are in the docstrings where they matter; the signature would hide the names
nitpick_ignore_regex = [("py:.*", ".*")]  # types of libraries that have no inventory here
