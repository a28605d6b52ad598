"""What the docstrings of operators and sensors say is there in Chinese, for the pages in Chinese."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections import Counter
from functools import cache
from types import ModuleType

from blocks import ROOT

_NAME = re.compile(r"``[^`]+``|:\w+:`[^`]+`")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")


@cache
def conf() -> ModuleType:
    """How the site is built."""
    spec = importlib.util.spec_from_file_location("conf", ROOT / "docs" / "conf.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown() -> set[str]:
    """The texts that the pages in Chinese take from docstrings, in English."""
    found = set()
    for page in ROOT.glob("docs/zh-CN/**/*.md"):
        text = page.read_text()
        names = re.findall(r"^\.\. autoclass:: (\S+)", text, re.MULTILINE)
        for module, members in re.findall(r"^\.\. automodule:: (\S+)\n +:members: (.+)", text, re.MULTILINE):
            names += [f"{module}.{member}" for member in members.split(", ")]
        for name in names:
            module, _, member = name.rpartition(".")
            documented = getattr(importlib.import_module(module), member)
            # A constant has no docstring of its own.
            lines = [*(inspect.getdoc(documented) or "").splitlines(), ""] if callable(documented) else []
            if inspect.isclass(documented):
                conf().add_inherited_parameters(None, "class", name, documented, None, lines)
            found |= {" ".join(text.split()) for _, text in conf().pieces(lines)}
    return found


def test_nearly_all_texts_are_there_in_chinese() -> None:
    # Who changes a docstring need not know Chinese: until somebody does, its text is shown in English.
    texts, known = shown(), set(conf().in_chinese())
    assert len(texts) > 300
    assert len(texts - known) < len(texts) / 10, sorted(texts - known)
    assert len(known - texts) < len(texts) / 10, sorted(known - texts)


def test_both_languages_have_the_same_names_and_numbers() -> None:
    differ = []
    for english, chinese in conf().in_chinese().items():
        numbers = [set(_NUMBER.findall(_NAME.sub("", text))) for text in (english, chinese)]
        names = [Counter(_NAME.findall(text)) for text in (english, chinese)]
        if numbers[0] - numbers[1] or names[0] != names[1] or not re.search("[\u4e00-\u9fff]|、", chinese):
            differ.append(chinese)
    assert differ == []


def test_a_docstring_is_shown_with_what_there_is_in_chinese() -> None:
    class Sphinx:
        class env:  # noqa: N801
            docname = "zh-CN/operators/training"

    lines = [
        "Stop a",
        "training.",
        "",
        "New.",
        "",
        ":param name: Name of the job.",
        ":param x: New.",
    ]
    conf().say_in_chinese(Sphinx, "class", "", None, None, lines)
    assert [line for line in lines if line] == [
        "停止训练任务。",
        "New.",
        ":param name: 作业名称。",
        ":param x: New.",
    ]
