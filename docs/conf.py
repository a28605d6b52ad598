"""How the documentation site is built: ``make docs``."""

from __future__ import annotations

from airflow_provider_aihub import __version__

project = "AIHub for Apache Airflow"
author = "The contributors of airflow-provider-aihub"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
myst_enable_extensions = ["colon_fence"]
# Headings of each page can be linked to, as on GitHub.
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"AIHub for Apache Airflow {version}"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"exclude-members": "model_config, model_post_init"}
python_maximum_signature_line_length = 80
add_module_names = False

# A name of this package that leads nowhere is an error; other projects' names lead nowhere, since the site is built
# and read without a network.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!airflow_provider_aihub).*"),
    # Type variables; and a class that is documented where it is imported from.
    ("py:class", r".*\.[A-Z]"),
    ("py:class", r"airflow_provider_aihub\.emulator\.server\.Emulator"),
]
