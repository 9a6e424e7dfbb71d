"""What paths tell."""

import pytest

from detectors.probes import is_telltale, is_unasked


@pytest.mark.parametrize(
    ("path", "unasked", "telltale"),
    [
        ("/favicon.ico", True, False),
        ("/apple-touch-icon-precomposed.png", True, False),
        ("/robots.txt", True, False),
        ("/.well-known/security.txt", True, False),
        ("/a/b/logo.PNG", True, False),
        ("/app.js", True, False),
        ("/sitemap.xml", True, False),
        ("/prices.html", False, False),
        ("/v1/users", False, False),
        ("/.env", False, True),
        ("/.git/HEAD", False, True),
        ("/%2e%2e%2fetc", False, True),
        ("/%252e%252e%252fetc", False, True),
        ("/%2fetc%2fpasswd", False, True),
        ("/wp-config.php.bak", False, True),
        ("/foo?a=<script>", False, True),
        ("/?author=3", False, True),
        ("/a?b=${jndi:ldap://x}", False, True),
        ("/v1/.../x", False, False),
        ("/a..b/c", False, False),
    ],
)
def test_path(path: str, unasked: bool, telltale: bool) -> None:  # noqa: FBT001
    assert (is_unasked(path), is_telltale(path)) == (unasked, telltale)
