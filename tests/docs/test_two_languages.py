"""A page in Chinese says what the page in English says.

Words cannot be compared, but what both languages write alike can: headings, code, tables, links, names and numbers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from posixpath import normpath

import airflow
import pytest
from blocks import CHINESE, CHINESE_ONLY, ROOT, TRANSLATED, read_blocks

_FENCED = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2[ ]*$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(^|\s)#\s.*$", re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
# A name may go on in the next line.
_NAME = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>\s]+)>|^```{image} (\S+)", re.MULTILINE)
_SHOWN = re.compile(r"{literalinclude} (\S+)|^\.\. autoclass:: (\S+)", re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)
_NOTE = re.compile(r"^% .*$|<!--.*?-->", re.MULTILINE)
# What a program writes into the README.
_WRITTEN = re.compile(r"(?<=<!-- tested -->\n).*?(?=<!-- /tested -->)", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """What stands below one heading, up to the next."""

    level: int
    text: str
    page: Path

    @property
    def prose(self) -> str:
        return _NOTE.sub("", _FENCED.sub("", self.text))

    @property
    def names(self) -> Counter[str]:
        return Counter(" ".join(name.split()) for name in _NAME.findall(self.prose))

    @property
    def numbers(self) -> set[str]:
        """Numbers outside of names and links."""
        return set(_NUMBER.findall(re.sub(r"\]\([^)]+\)|<http[^>]+>", "", _NAME.sub("", self.prose))))

    @property
    def links(self) -> Counter[str]:
        """Where links lead to: a page in English, and the how manieth of its headings."""
        found = ("".join(link) for link in _LINK.findall(self.text))
        places = (leads_to(self.page, link) for link in found if not is_other_language(self.page, link))
        return Counter(place for place in places if place != english_of(str(CHINESE_ONLY.relative_to(ROOT))))

    @property
    def shown(self) -> Counter[str]:
        """The files and the classes that it shows."""
        return Counter("".join(found).rpartition("../")[2] for found in _SHOWN.findall(self.text))

    @property
    def shape(self) -> tuple[int, int]:
        """How many items its lists have, and how many paragraphs there are besides."""
        parts = [part.lstrip() for part in re.split(r"\n\s*\n", self.prose)]
        items = re.findall(r"^ *(?:-|\d+\.) ", self.prose, re.MULTILINE)
        return len(items), sum(1 for part in parts if part and not re.match(r"[#|:]|- |\d+\. ", part))

    @property
    def rows(self) -> list[list[str]]:
        """Cells of tables."""
        return [[cell.strip() for cell in row.split("|")] for row in _ROW.findall(self.prose)]


@cache
def read(page: Path) -> str:
    return page.read_text()


def sections(page: Path, text: str) -> list[Section]:
    """Take a page apart at its headings."""
    text = _WRITTEN.sub("", text)
    fenced = [found.span() for found in _FENCED.finditer(text)]
    headings = [
        found for found in _HEADING.finditer(text) if not any(begin <= found.start() < end for begin, end in fenced)
    ]
    ends = [found.start() for found in headings[1:]] + [len(text)]
    return [Section(len(one[1]), text[one.start() : end], page) for one, end in zip(headings, ends, strict=True)]


def anchor(heading: str) -> str:
    """Return what a heading is linked to by, on GitHub and on the site."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def english_of(path: str) -> str:
    """Return which page or image in English one stands for."""
    return path.replace("docs/zh-CN/", "docs/").replace(".zh-CN.", ".")


def is_other_language(page: Path, link: str) -> bool:
    """Whether a link leads from a page to the same page in the other language."""
    target = (page.parent / link.partition("#")[0]).resolve()
    return target != page and english_of(str(target)) == english_of(str(page)) and target.suffix == ".md"


def leads_to(page: Path, link: str) -> str:
    """Return where a link leads to, said in the same way for both languages."""
    if link.startswith("http"):
        return link
    path, _, fragment = link.partition("#")
    target = page if not path else ROOT / normpath((page.parent / path).relative_to(ROOT))
    assert target.exists(), f"{page.name} links to {link}, which is not there"
    here = str(target.relative_to(ROOT))
    if page in CHINESE.values() and english_of(here) == here and target in CHINESE:
        return f"{here} in English, though it is there in Chinese"
    if not fragment:
        return english_of(here)
    anchors = [anchor(section.text.partition("\n")[0].lstrip("# ")) for section in sections(target, read(target))]
    assert fragment in anchors, f"{page.name} links to {link}, and there is no such heading"
    return f"{english_of(here)}, heading {anchors.index(fragment) + 1}"


def code(section: Section) -> list[tuple[str, str]]:
    """Code of a section without its comments, which may be translated; a file's name in the first line stays."""
    return [
        (block.language, block.code if block.language == "text" else _COMMENT.sub("", block.code))
        for block in read_blocks(section.page, section.text)
    ]


def differences(english: tuple[Path, str], chinese: tuple[Path, str]) -> Iterator[str]:
    """Say where two pages, each with its text, do not say the same."""
    one, other = sections(*english), sections(*chinese)
    if [section.level for section in one] != [section.level for section in other]:
        titles = [[section.text.partition("\n")[0] for section in side] for side in (one, other)]
        yield f"the headings are {titles[0]} and {titles[1]}"
        return
    for here, there in zip(one, other, strict=True):
        title = here.text.partition("\n")[0].lstrip("# ")
        if code(here) != code(there):
            yield f"{title}: the code differs"
        for kind in ("names", "links", "shown"):
            ours, theirs = getattr(here, kind), getattr(there, kind)
            if missing := ours - theirs:
                yield f"{title}: {kind} that Chinese lacks: {sorted(missing)}"
            if more := theirs - ours:
                yield f"{title}: {kind} that English lacks: {sorted(more)}"
        if here.shape != there.shape:
            yield f"{title}: items and paragraphs are {here.shape} and {there.shape}"
        if missing := here.numbers - there.numbers:
            yield f"{title}: numbers that Chinese lacks: {sorted(missing)}"
        if [len(row) for row in here.rows] != [len(row) for row in there.rows]:
            yield f"{title}: the tables have {len(here.rows)} and {len(there.rows)} rows, or other columns"
            continue
        for row, same in zip(here.rows, there.rows, strict=True):
            if [Counter(_NAME.findall(cell)) for cell in row] != [Counter(_NAME.findall(cell)) for cell in same]:
                yield f"{title}: the rows {row} and {same} do not name the same"
            # A field is called as the form of the connection calls it.
            if len(row) > 2 and _NAME.fullmatch(row[1]) and row[0] != same[0]:
                yield f"{title}: the field {row[0]} is called {same[0]}"


@pytest.mark.parametrize("page", TRANSLATED)
def test_both_say_the_same(page: str) -> None:
    english = ROOT / page
    chinese = CHINESE[english]
    assert chinese.exists(), f"there is no {chinese.relative_to(ROOT)}"
    assert list(differences((english, read(english)), (chinese, read(chinese)))) == []


def test_a_drawing_is_the_same_but_for_its_words() -> None:
    for chinese in ROOT.glob("docs/**/*.zh-CN.svg"):
        one, other = (
            re.sub(r">[^<>\n]+</|<svg .*>", "></", drawing.read_text())
            for drawing in (Path(english_of(str(chinese))), chinese)
        )
        assert one == other


@pytest.mark.parametrize("page", TRANSLATED)
def test_a_page_in_chinese_is_in_chinese(page: str) -> None:
    for section in sections(CHINESE[ROOT / page], read(CHINESE[ROOT / page])):
        prose = re.sub(r"\[[^]]*\]\([^)]+\)|{[\w:]+}", "", _NAME.sub("", section.prose.partition("\n")[2]))
        # A list of nothing but names needs no words.
        if len(letters := re.findall(r"[A-Za-z]|[\u4e00-\u9fff]", prose)) > 120:
            assert sum(letter > "z" for letter in letters) > len(letters) / 4, section.text


def test_there_is_no_other_page_in_chinese() -> None:
    there = {*ROOT.glob("docs/zh-CN/**/*.md"), *ROOT.glob("*.zh-CN.md")}
    assert there - {*CHINESE.values(), CHINESE_ONLY} == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n## 等待\n", "\n### 等待\n"),
        ("deferrable=True", "deferrable=False"),
        ("[life](life.md#waiting)", "[life](life.md)"),
        ("package.One", "package.Other"),
        ("`poll_interval`", "`poll_floor`"),
        ("30 秒", "20 秒"),
        ("| `a` | 一 |\n", ""),
        ("\n\n```python", "\n\n一句话\n\n```python"),
        ("\n\n```python", "\n\n- 一句话\n\n```python"),
        ("| Port | `port` | 端口 |", "| 端口 | `port` | 端口 |"),
        ("| `b` | 二 `c` |", "| `b` `c` | 二 |"),
    ],
)
def test_what_one_side_changes_is_noticed(old: str, new: str) -> None:
    page = ROOT / "docs" / "start.md"
    text = (
        "# 页\n\n## 等待\n\n每 30 秒轮询 `poll_interval` 见 [life](life-of-a-job.md#waiting)。\n\n```python\n"
        "# 注释\nOne(deferrable=True)\n```\n\n```{eval-rst}\n.. autoclass:: package.One\n```\n\n"
        "| a | b |\n|---|---|\n| `a` | 一 |\n| `b` | 二 `c` |\n\n"
        "| a | b | c |\n|---|---|---|\n| Port | `port` | 端口 |\n"
    )
    old, new = (side.replace("life.md", "life-of-a-job.md") for side in (old, new))
    assert old in text
    translated = text.replace("# 注释", "# A comment")
    assert list(differences((page, text), (page, translated))) == []
    assert list(differences((page, text), (page, text.replace(old, new)))) != []
    assert list(differences((page, text.replace(old, new)), (page, text))) != []


@pytest.mark.airflow(">=3.3", lacks="these words")
def test_the_glossary_has_the_words_of_airflows_pages() -> None:
    (locale,) = Path(airflow.__file__).parent.glob("ui/dist/i18n/locales/zh-CN")
    words = {word for file in locale.glob("*.json") for word in texts(json.loads(file.read_text()))}
    rows = [row for section in sections(CHINESE_ONLY, read(CHINESE_ONLY)) for row in section.rows]
    said = [row[1] for row in rows if row[2] == "Airflow 界面"]
    assert [word for word in said if word not in words] == []
    assert len(said) > 10


def texts(tree: dict[str, object]) -> Iterator[str]:
    for value in tree.values():
        if isinstance(value, dict):
            yield from texts(value)
        else:
            yield str(value)
