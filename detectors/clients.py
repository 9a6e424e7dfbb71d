"""What a client calls itself, less what changes with every update."""

import re
from functools import lru_cache

_PRODUCT = re.compile(r"([A-Za-z][A-Za-z .+_-]{0,30})/")
_SYSTEM = re.compile(r"Windows|Android|iPhone|iPad|Macintosh|CrOS|Linux|Darwin")
_EVERYWHERE = frozenset({"mozilla", "applewebkit", "gecko", "version", "mobile"})
"""Products nearly every browser names: they tell none from another."""
MAX_AGENT_CHARS = 256
MAX_PRODUCTS = 4


def agent_family(user_agent: str) -> str:
    """Products and operating system of a client without their versions, so that an update does not make it a new one.

    >>> agent_family("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36")
    'chrome safari on Linux'
    >>> agent_family("curl/8.5.0"), agent_family("Backup agent 7")
    ('curl', 'backup agent')
    """
    return _family(user_agent[:MAX_AGENT_CHARS])


@lru_cache(maxsize=4096)  # a pure function's results; some hundred clients make up nearly all logins
def _family(text: str) -> str:
    names = (match.strip(" -_.+").lower() for match in _PRODUCT.findall(text))
    products = list(dict.fromkeys(name for name in names if name not in _EVERYWHERE))[:MAX_PRODUCTS]
    family = " ".join(products) or re.sub(r"[^A-Za-z]+", " ", text).strip().lower()[:64]
    system = _SYSTEM.search(text)
    return f"{family} on {system.group()}" if system is not None else family
