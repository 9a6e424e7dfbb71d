"""What a refused web request tells by its path alone."""

import re
from functools import lru_cache

_CACHED = 16_384

_UNASKED = re.compile(
    r"(?:^|/)(?:favicon|apple-touch-icon|browserconfig|robots|sitemap|ads|app-ads|security|humans)[\w.-]*$"
    r"|^/\.well-known/"
    r"|\.(?:avif|bmp|css|gif|ico|jpe?g|js|map|mp[34]|png|svg|ttf|webm|webmanifest|webp|woff2?)$",
    re.IGNORECASE,
)
_TELLTALE = re.compile(
    r"(?:^|/)\.(?!well-known)[a-z_]{2,}"  # .env, .git/HEAD, .bash_history
    r"|(?<!\.)\.\.(?:[/\\;]|$)"
    r"|/etc/(?:passwd|shadow|groups?|hosts)|/proc/self|win\.ini|boot\.ini"
    r"|wp-config|xmlrpc\.php|phpmyadmin|phpinfo|/cgi-bin/|/actuator\b|/server-status"
    r"|\.(?:bak|old|orig|sql|swp|tar\.gz|tgz|zip)$|~$"
    r"|<(?:script|svg|img|iframe|body|input|object)|javascript:|onerror=|alert\(|prompt\("
    r"|union(?:\s|\+|/\*.{0,20}?\*/){1,3}select|\$\{jndi:|[?&]author=[0-9]",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")


@lru_cache(maxsize=_CACHED)
def is_unasked(path: str) -> bool:
    """Whether browsers and crawlers ask for this by themselves, or a page of one's own: that it is missing tells of no prober.

    >>> is_unasked("/favicon.ico"), is_unasked("/a/logo.png"), is_unasked("/.well-known/x"), is_unasked("/wp-login.php")
    (True, True, True, False)
    """
    return _UNASKED.search(path) is not None


@lru_cache(maxsize=_CACHED)
def is_telltale(text: str) -> bool:
    """Whether nobody asks for this by accident: secrets, back-ups, ways out of the folder, script in a query.

    Percent signs are undone twice, as many times as servers are known to be fooled.

    >>> is_telltale("/.env"), is_telltale("/%252E%252E%252Ffoo"), is_telltale("/foo?a=%3Cscript"), is_telltale("/prices.html")
    (True, True, True, False)
    """
    for _ in range(2):
        if "%" in text:
            text = _ESCAPE.sub(_character, text)
    return _TELLTALE.search(text) is not None


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
