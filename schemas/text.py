"""Text from logs, made safe to show: names in logs are written by strangers."""

import re
from hashlib import blake2b

MAX_NAME_CHARS = 256
"""Names of actors, devices and sessions are not kept longer: detectors remember many of them, and strangers choose them."""
REPLACEMENT = "\ufffd"
"""Stands where a character was that cannot be seen."""
_BLANK = re.compile(
    "["
    "\u034f"  # combining grapheme joiner
    "\u115f\u1160\u3164\uffa0"  # Hangul fillers
    "\u17b4\u17b5"  # Khmer inherent vowels
    "\u180b-\u180f"  # Mongolian variation selectors
    "\u2800"  # Braille pattern without dots
    "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # variation selectors
    "]"
)
"""Letters and marks to Unicode, and so printable to Python, that leave no ink: two names that differ in them look the same."""


def printable(text: str) -> str:
    r"""``text`` without control characters and other invisible ones, each replaced by one ``REPLACEMENT``.

    Among them are line breaks, escape sequences, changes of writing direction and lone surrogates; the result can always be encoded.

    >>> printable("a\x1b[31mb\u202e")
    'a�[31mb�'
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else REPLACEMENT for c in text)
    return text if text.isascii() else _BLANK.sub(REPLACEMENT, text)


def cut(text: str, limit: int) -> str:
    """The first ``limit`` characters at most, the last of them an ellipsis where something was cut off.

    >>> cut("abcdef", 6), cut("abcdef", 4)
    ('abcdef', 'abc…')
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def bounded_name(name: str) -> str:
    """``name`` itself, or the beginning of a long one with a digest of it: the same name stays the same, and two stay two.

    >>> bounded_name("alice"), len(bounded_name("a" * 5000)), bounded_name("a" * 5000) == bounded_name("a" * 5001)
    ('alice', 256, False)
    """
    if len(name) <= MAX_NAME_CHARS:
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"{name[: MAX_NAME_CHARS - len(digest) - 1]}…{digest}"
