"""The code that the README and the pages of the documentation show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TRANSLATED = [
    "README.md",
    "docs/index.md",
    "docs/start.md",
    "docs/connection.md",
    "docs/migrating.md",
    "docs/life-of-a-job.md",
    "docs/errors.md",
    "docs/check.md",
    "docs/airflow-ui.md",
    "docs/assets.md",
    "docs/lineage.md",
    "docs/testing.md",
    "docs/scale.md",
    "docs/executors.md",
    *(
        str(page.relative_to(ROOT))
        for folder in ("operators", "sensors")
        for page in sorted(ROOT.glob(f"docs/{folder}/*.md"))
    ),
]
"""Pages that are there in Chinese as well; among them all of operators and sensors."""
CHINESE = {
    ROOT / page: ROOT / ("README.zh-CN.md" if page == "README.md" else page.replace("docs/", "docs/zh-CN/"))
    for page in TRANSLATED
}
"""The page in Chinese, by that in English. Their code is the same, so that it is run once."""
CHINESE_ONLY = ROOT / "docs" / "zh-CN" / "glossary.md"
PAGES = [
    page
    for page in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))
    if page not in {*CHINESE.values(), CHINESE_ONLY}
]

_FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_FILE = re.compile(r"# ([\w/]+\.\w+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    :param line: Number of its first line of code.
    :param language: What stands behind the fence.
    :param not_run: Why it is not run, from a comment ``<!-- not run: ... -->`` right before the fence.
    """

    page: Path
    line: int
    language: str
    code: str
    not_run: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that the block is to be saved as, from a comment in its first line."""
        named = _FILE.match(self.code.partition("\n")[0])
        return named[1] if named else None

    @property
    def is_dag(self) -> bool:
        return self.language == "python" and re.search(r"^with DAG\(|^@dag", self.code, re.MULTILINE) is not None

    @property
    def is_test(self) -> bool:
        return (
            self.language == "python" and re.search(r"^(def test_|pytest_plugins)", self.code, re.MULTILINE) is not None
        )


def read_blocks(page: Path, text: str | None = None) -> Iterator[Block]:
    """Give the blocks of a page that show something; directives of Sphinx are none.

    :param text: A part of the page. Default: all of it.
    """
    lines = iter(enumerate((page.read_text() if text is None else text).splitlines(), start=1))
    before = ""
    for number, line in lines:
        opening = _FENCE.match(line)
        if opening is None:
            before = line.strip() or before
            continue
        code = []
        for _, inner in lines:
            closing = _FENCE.match(inner)
            if closing and closing[1].startswith(opening[1]) and not closing[2].strip():
                break
            code.append(inner)
        else:
            raise ValueError(f"{page}:{number}: the block is never closed")
        if not opening[2].startswith("{"):
            reason = _NOT_RUN.fullmatch(before)
            yield Block(page, number + 1, opening[2].strip(), "\n".join(code) + "\n", reason[1] if reason else None)
        before = ""


BLOCKS = [block for page in PAGES for block in read_blocks(page)]
