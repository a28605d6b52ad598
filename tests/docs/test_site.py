"""The documentation becomes a site without a warning, whose links lead somewhere and that needs no network."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from blocks import CHINESE, ROOT
from bs4 import BeautifulSoup
from chromium import chromium
from test_pages import USED

pytestmark = pytest.mark.airflow(">=3.3", lacks="what the pages show")


def build(source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as ``make docs`` does."""
    env = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow")}
    program = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(folder / "read"), str(source)]
    return subprocess.run([*program, str(folder / "html")], env=env, capture_output=True, text=True, check=False)


@cache
def read(page: Path) -> BeautifulSoup:
    """Take a page apart, once."""
    return BeautifulSoup(page.read_text(), "html.parser")


def links(page: Path) -> Iterator[str]:
    """All that a page leads to or loads."""
    for tag in read(page).find_all(True):
        for attribute in ("href", "src", "srcset", "data", "poster"):
            if tag.get(attribute) and not (tag.name == "link" and tag.get("rel") == ["canonical"]):
                yield str(tag[attribute])


def broken(site: Path) -> list[str]:
    """Links within a site that lead nowhere."""
    ids = {page: {tag["id"] for tag in read(page).find_all(id=True)} for page in site.rglob("*.html")}
    found = []
    for page in ids:
        for link in links(page):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link in ("", "#"):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists() or (parts.fragment and target in ids and unquote(parts.fragment) not in ids[target]):
                found.append(f"{page.relative_to(site)}: {link}")
    return found


def loaded_from_elsewhere(site: Path) -> list[str]:
    """What a browser would fetch from other machines when it shows a page."""
    found, loading = [], ["script", "img", "link", "iframe", "source"]
    for page in site.rglob("*.html"):
        for tag in read(page).find_all(loading):
            source = str(tag.get("src") or tag.get("href") or "")
            if source.startswith(("http:", "https:", "//")) and tag.get("rel") != ["canonical"]:
                found.append(f"{page.relative_to(site)}: {source}")
    for sheet in site.rglob("*.css"):
        found += re.findall(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)", sheet.read_text())
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", folder)
    assert done.returncode == 0, done.stderr[-8000:]
    return folder / "html"


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in ROOT.glob("docs/**/*.md")}
    assert {page for page in pages if not (site / page).exists()} == set()
    assert len(pages) > 30


def test_no_link_is_broken(site: Path) -> None:
    assert broken(site) == []


def test_it_is_read_without_a_network(site: Path) -> None:
    assert loaded_from_elsewhere(site) == []


def test_the_search_finds_operators(site: Path) -> None:
    index = site.joinpath("searchindex.js").read_text()
    content = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\);?\s*", index, re.DOTALL)[1])  # type: ignore[index]
    (place,) = (number for number, page in enumerate(content["docnames"]) if page == "operators/training")
    where = content["terms"]["train"]
    assert place in (where if isinstance(where, list) else [where])
    assert "search.html" in {urlsplit(link).path for link in links(site / "search.html")} | {"search.html"}


def test_the_search_finds_chinese(site: Path) -> None:
    with chromium() as browser:
        page = browser.new_page()
        found = {}
        for asked in ("虚拟集群", "配额", "集虚"):
            page.goto(f"{(site / 'search.html').as_uri()}?q={asked}")
            page.wait_for_selector("p.search-summary:not(:empty)")
            found[asked] = {
                urlsplit(link.get_attribute("href")).path for link in page.query_selector_all(".search li a")
            }
    assert "zh-CN/life-of-a-job.html" in found["虚拟集群"]
    assert "zh-CN/operators/index.html" in found["配额"]
    assert found["集虚"] == set()


def test_a_page_in_both_languages_leads_to_the_other(site: Path) -> None:
    for english, chinese in CHINESE.items():
        if english.parent == ROOT:
            continue
        one, other = (site / page.relative_to(ROOT / "docs").with_suffix(".html") for page in (english, chinese))
        for here, there, language in ((one, other, "en"), (other, one, "zh-CN")):
            (link,) = read(here).select(".languages a")
            assert (here.parent / str(link["href"])).resolve() == there
            assert read(here).html["lang"] == language  # type: ignore[index]


@pytest.mark.parametrize("folder", ["operators", "sensors"])
def test_a_page_in_chinese_shows_the_same_parameters_in_chinese(site: Path, folder: str) -> None:
    pages = sorted(site.joinpath(folder).glob("*.html"))
    assert len(pages) > 10
    for english in pages:
        chinese = site / "zh-CN" / folder / english.name
        one, other = (
            [str(name.string) for name in read(page).select("dl.field-list li > p > strong")]
            for page in (english, chinese)
        )
        assert one == other
        shown = read(chinese).select("dl.field-list")
        assert {str(dt.contents[0]) for fields in shown for dt in fields.select("dt")} <= {"参数", "异常"}
        assert "``" not in "".join(fields.get_text() for fields in shown)


def parameters(kind: type) -> set[str]:
    """Names of what an operator or sensor takes beyond what every one of Airflow's does."""
    own = (
        one for one in kind.__mro__ if one.__module__.startswith("airflow_provider_aihub") and "__init__" in vars(one)
    )
    found = (parameter for one in own for parameter in inspect.signature(one).parameters.values())
    return {parameter.name for parameter in found if parameter.kind is parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(("folder", "kind"), USED, ids=[kind.__name__ for _, kind in USED])
def test_a_page_has_all_parameters_from_the_docstrings(site: Path, folder: Path, kind: type) -> None:
    for page in site.joinpath(folder.name).glob("*.html"):
        if f'id="{kind.__module__}.{kind.__name__}"' in page.read_text():
            content = read(page)
            shown = [str(name.string) for name in content.select("dl.field-list li > p > strong")]
            assert sorted(shown) == sorted(parameters(kind))
            assert "The remaining parameters" not in content.get_text()
            return
    raise AssertionError(f"no page is about {kind.__name__}")


def test_what_is_wrong_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    source.joinpath("conf.py").write_text(ROOT.joinpath("docs", "conf.py").read_text())
    source.joinpath("_static").mkdir()
    source.joinpath("_static", "site.css").write_text("@import url(https://example.org/font.css);")
    page = source / "index.md"
    page.write_text("# Page\n\n[gone](gone.md)\n\n```{eval-rst}\n:class:`airflow_provider_aihub.Gone`\n```\n")
    done = build(source, tmp_path / "warned")
    assert done.returncode != 0
    assert "gone.md" in done.stderr
    assert "airflow_provider_aihub.Gone" in done.stderr
    raw = '```{raw} html\n<a href="gone.html"></a><a href="#gone"></a><img src="https://example.org/x.png">\n```\n'
    page.write_text(f"# Page\n\n{raw}")
    done = build(source, tmp_path / "quiet")
    assert done.returncode == 0, done.stderr
    html = tmp_path / "quiet" / "html"
    assert broken(html) == ["index.html: gone.html", "index.html: #gone"]
    assert loaded_from_elsewhere(html) == ["index.html: https://example.org/x.png", "https://example.org/font.css"]
