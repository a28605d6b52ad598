"""Finds a secret in a text, also if it is escaped or encoded there."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from html.entities import codepoint2name
from itertools import pairwise
from typing import Final

RUNS: Final = re.compile(r"\\+|(?s:.)")
"""Splits a secret into characters; backslashes in a row stay together, since escaping changes their number."""
JSON_ESCAPES: Final = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""The letter after the backslash by which JSON writes a control character."""
ESCAPES: Final = r"\\{0,8}"
"""Backslashes before a character. The bounds in patterns keep the time of a search proportional to the text."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets by ``***``, in each of the forms that :func:`pattern_of` matches."""
    for pattern in sorted(map(pattern_of, secrets), key=lambda pattern: -len(pattern.pattern)):
        text = pattern.sub("***", text)
    return text


@lru_cache(maxsize=64)
def pattern_of(secret: str) -> re.Pattern[str]:
    """Return a pattern that matches a secret plain, escaped once or more (JSON, HTML, URL, form), or in Base64."""
    encoded = secret.encode(errors="surrogatepass")
    packed = {encode(encoded).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode)}
    plain = "".join(_pattern_of_run(run, before) for before, run in pairwise(["", *RUNS.findall(secret)]))
    return re.compile("|".join([plain, *(re.escape(form) + "=*" for form in packed if len(form) > 4)]))


def _pattern_of_run(run: str, before: str) -> str:
    """Return a pattern that matches a character, or backslashes in a row, plain or escaped.

    :param before: The run before it. If that is of backslashes, its pattern matches those that escape this run, too.
    """
    char = run[0]
    if char.isascii() and char.isalnum():
        return char
    escapes = "" if before.startswith("\\") else ESCAPES
    units = char.encode("utf-16-be", errors="surrogatepass").hex()
    name = "apos" if char == "'" else codepoint2name.get(ord(char), "")
    ways = [
        escapes + ESCAPES.join(rf"\\u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)),
        "".join(f"%(?:25){{0,3}}(?i:{byte:02x})" for byte in char.encode(errors="surrogatepass")),
        rf"&(?:amp;){{0,3}}#0{{0,5}}(?:{ord(char)}|[xX]0{{0,5}}(?i:{ord(char):x}));",
    ]
    if name:
        ways.append(f"&(?:amp;){{0,3}}{name};")
    if char in JSON_ESCAPES:
        ways.append(rf"{escapes}\\{JSON_ESCAPES[char]}")
    if char == " ":
        ways.append(r"\+")
    if char == "\\":
        return rf"(?:{'|'.join(ways)}|\\){{1,64}}"
    return f"(?:{'|'.join(ways)}|{escapes}{re.escape(char)})"
