"""How the documentation site is built: ``make docs``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

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
html_search_language = "en-zh"

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
    ("py:class", r"airflow_provider_aihub\.emulators\.aihub\.server\.Emulator"),
    # What passes between parts of the code, in signatures.
    ("py:class", r"airflow_provider_aihub\.jobs\.(waiting\.Look|errands\.\w+|log_stream\.\w+)"),
    ("py:class", r"airflow_provider_aihub\.http\.(request\.OnlyDocument|token\.Login)"),
]

CHINESE = "zh-CN/"
"""The folder of the pages in Chinese. They have the names of those in English."""

_PIECE = re.compile(r"^(?=:\w+ \w+:)|\n\s*\n", re.MULTILINE)
_FIELD = re.compile(r":\w+ \w+: *")
_ROLE = re.compile(r"``[^`]+``|:\w+:`[^`]+`")
_PARAMETER = re.compile(r"^:param (\w+):(?:.*\n(?:[ ]+\S.*\n)*)", re.MULTILINE)
_REMAINING = re.compile(r"(What it returns, and )?the remaining parameters,? are those of\s.*?`\.\s*", re.DOTALL | re.I)


def add_inherited_parameters(_: Sphinx, what: str, name: str, kind: Any, __: Any, lines: list[str]) -> None:
    """Show all parameters of an operator or sensor on its own page, those of the classes it is built on included."""
    text = "\n".join(lines)
    if what != "class" or not (remaining := _REMAINING.search(text)):
        return
    known = set(_PARAMETER.findall(text)) | set(re.findall(r"without\s+``(\w+)``", remaining[0]))
    inherited = []
    for base in kind.__mro__[1:]:
        if base.__module__.partition(".")[0] == name.partition(".")[0]:
            described = _PARAMETER.finditer(f"{inspect.getdoc(base)}\n")
            inherited += [found[0] for found in described if not (found[1] in known or known.add(found[1]))]
    *_, last = _PARAMETER.finditer(text)
    # A sentence that says more than that stays.
    rest = _REMAINING.sub(lambda found: found[0] if found[1] else "", text[last.end() :])
    lines[:] = [*(text[: last.end()] + "".join(inherited) + rest).splitlines(), ""]


def pieces(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give each paragraph of a docstring, and what it says of each parameter; and the name of the field before it."""
    for part in _PIECE.split("\n".join(lines)):
        if part and part.strip():
            field = _FIELD.match(part)
            yield (field[0], part[field.end() :]) if field else ("", part)


@cache
def in_chinese() -> dict[str, str]:
    """Return the texts of docstrings in Chinese, by those in English with single spaces."""
    with Path(__file__).with_name("zh-CN").joinpath("docstrings.po").open("rb") as file:
        # Between a name and what Chinese writes next to it there must be a break that is not seen.
        return {str(one.id): _ROLE.sub(r"\\ \g<0>\\ ", str(one.string)) for one in read_po(file) if one.id}


def say_in_chinese(app: Sphinx, _: str, __: str, ___: Any, ____: Any, lines: list[str]) -> None:
    """Show a docstring in Chinese on the pages in Chinese; a text that has no translation is shown in English."""
    if app.env.docname.startswith(CHINESE):
        texts = [before + in_chinese().get(" ".join(text.split()), text) for before, text in pieces(lines)]
        lines[:] = [*"\n\n".join(texts).splitlines(), ""]


class EnglishAndChinese(SearchEnglish):
    """Search in English words and in Chinese text.

    Chinese has no spaces between words. Each two neighbouring characters count as a word, both in the index and in what
    is searched for, so that no dictionary is needed.
    """

    lang = "en-zh"
    js_splitter_code = r"""
function splitQuery(query) {
  const pair = (found) => found.length < 2 ? [found] : [...found].slice(1).map((next, place) => found[place] + next);
  const chinese = (query.match(/[\u4e00-\u9fff]+/g) || []).flatMap(pair);
  return chinese.concat(query.match(/(?:(?![\u4e00-\u9fff])[\p{Letter}\p{Number}_])+/gu) || []);
}
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text, in the same way as the code in the browser does."""
        chinese = re.findall(r"[\u4e00-\u9fff]+", input)
        pairs = [found[place : place + 2] for found in chinese for place in range(max(len(found) - 1, 1))]
        return pairs + re.findall(r"(?:(?![\u4e00-\u9fff])\w)+", input)


THEME_IN_CHINESE = {
    "On this page": "本页内容",
    "Next": "下一页",
    "Previous": "上一页",
    "Search": "搜索",
    "Home": "首页",
}
FIELDS_IN_CHINESE = {"Parameters": "参数", "Raises": "异常"}


def show_pages_of_its_language(app: Sphinx, page: str, _: str, context: dict[str, Any], __: Any) -> None:
    """Let the tree beside a page show the pages in its language alone.

    Each page has a tree of its own, so that the time to build grows with the square of the number of pages in it.
    """

    def toctree(**wanted: Any) -> str:
        resolved: list[Any] = [
            app.env.resolve_toctree(page, app.builder, tree, **wanted)
            for tree in app.env.master_doctree.findall(addnodes.toctree)
            if any(name.startswith(CHINESE) for name in tree["includefiles"]) == page.startswith(CHINESE)
        ]
        trees = [tree for tree in resolved if tree is not None]
        for tree in trees[1:]:
            trees[0].extend(tree.children)
        return str(app.builder.render_partial(trees[0])["fragment"]) if trees else ""

    context["toctree"] = toctree


def link_to_other_language(app: Sphinx, page: str, _: str, context: dict[str, Any], __: Any) -> None:
    """Begin a page with a link to that in the other language, or to the first one, and let the theme speak Chinese."""
    if is_chinese := page.startswith(CHINESE):
        context["language"] = CHINESE.rstrip("/")
        context["_"] = lambda text: THEME_IN_CHINESE.get(text, text)
        for field, said in FIELDS_IN_CHINESE.items():
            context["body"] = context.get("body", "").replace(f">{field}<span", f">{said}<span")
    other = page.removeprefix(CHINESE) if is_chinese else CHINESE + page
    if other not in app.env.found_docs:
        other = app.config.root_doc if is_chinese else CHINESE + app.config.root_doc
    if {page, other} <= app.env.found_docs:
        language, name = ("en", "English") if is_chinese else ("zh-CN", "简体中文")
        link = f'<a href="{context["pathto"](other)}" lang="{language}" hreflang="{language}">{name}</a>'
        context["body"] = f'<p class="languages">{link}</p>{context["body"]}'


def setup(app: Sphinx) -> None:
    app.add_search_language(EnglishAndChinese)
    app.connect("autodoc-process-docstring", add_inherited_parameters)
    app.connect("autodoc-process-docstring", say_in_chinese)
    # Before the theme asks for the tree.
    app.connect("html-page-context", show_pages_of_its_language, priority=400)
    app.connect("html-page-context", link_to_other_language)
