from typing import Any

import pytest

from monitor.settings_http import HttpSettings
from monitor.web.security import Access, host_of, path_fits

TOKEN = "0123456789abcdef"


def scope(host: str = "127.0.0.1:9464", client: str = "127.0.0.1", path: str = "/", **headers: str) -> dict[str, Any]:
    named = {"host": host, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return {"path": path, "client": (client, 5000), "headers": [(name.encode(), text.encode()) for name, text in named.items()]}


def access(**given: Any) -> Access:
    settings = HttpSettings.model_validate(given)
    return Access(settings, settings.read_token())


@pytest.mark.parametrize("path", [b"/", b"/metrics", b"/api/v1/alerts", b"/a%20b", b"/v1.2/x~y", b"/..x", b"/x.."])
def test_plain_paths(path: bytes) -> None:
    assert path_fits(path)


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"metrics",
        b"*",
        b"http://127.0.0.1/metrics",
        b"//metrics",
        b"/api//v1",
        b"/metrics//",
        b"/..",
        b"/../metrics",
        b"/api/../metrics",
        b"/./metrics",
        b"/%2e%2e/metrics",
        b"/.%2E/metrics",
        b"/%2e/metrics",
        b"/metrics%00",
        b"/%2Fmetrics",
        b"/api%2fv1",
        b"/api%5cv1",
        b"/api\\v1",
        b"/%252e%252e/metrics",
        b"/x%0d%0aset-cookie:a",
        b"/x%7f",
        b"/x%",
        b"/x%zz",
        b"/<script>",
        b"/" + b"a" * 3_000,
    ],
)
def test_tricks(path: bytes) -> None:
    assert not path_fits(path)


@pytest.mark.parametrize("host", ["localhost", "localhost:9464", "127.0.0.1", "[::1]:9464", "LOCALHOST:1", "localhost."])
def test_names_of_a_port_on_loopback(host: str) -> None:
    assert access().host_fits(scope(host))


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "localhost:port", "", "::1", "192.0.2.1"]
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    assert not access().host_fits(scope(host))
    assert not access(allowed_hosts=["soc.example.com"]).host_fits(scope(host))


def test_names_that_are_allowed() -> None:
    assert access(allowed_hosts=["SOC.example.com"]).host_fits(scope("soc.example.com:443"))
    open_port = access(host="0.0.0.0", token=TOKEN)
    assert open_port.host_fits(scope("whatever.example.com"))
    named = access(host="0.0.0.0", token=TOKEN, allowed_hosts=["soc.example.com"])
    assert named.host_fits(scope("soc.example.com"))
    assert not named.host_fits(scope("evil.example"))
    assert named.host_fits(scope("192.0.2.7:9464", path="/healthz"))  # as an orchestrator asks


def test_two_hosts_are_none() -> None:
    assert host_of({"headers": [(b"host", b"localhost"), (b"host", b"evil.example")]}) == ""


@pytest.mark.parametrize(
    ("given", "has"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN} ", True),
        ("Bearer 0123456789abcdeF", False),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        ("Bearer", False),
        ("Bearer ", False),
        (TOKEN, False),
        (f"Basic {TOKEN}", False),
        ("Bearer \u00e9", False),
    ],
)
def test_the_token_must_be_the_token(given: str, has: bool) -> None:  # noqa: FBT001
    for host in ("127.0.0.1", "0.0.0.0"):
        assert access(host=host, token=TOKEN).has_token(scope(authorization=given)) is has


def test_two_tokens_are_none() -> None:
    asked = scope()
    asked["headers"] += [(b"authorization", f"Bearer {TOKEN}".encode())] * 2
    assert not access(token=TOKEN).has_token(asked)


def test_details_are_for_this_machine_and_for_who_has_the_token() -> None:
    port = access(host="0.0.0.0", token=TOKEN)
    assert port.is_trusted(scope("localhost:9464"))
    assert port.is_trusted(scope("soc.example.com", "192.0.2.9", authorization=f"Bearer {TOKEN}"))
    assert not port.is_trusted(scope("localhost:9464", "192.0.2.9"))
    # a page in the browser on this machine, under a name that was made to point here
    assert not port.is_trusted(scope("evil.example"))
    # a proxy on this machine that calls for somebody else
    assert not port.is_trusted(scope("localhost:9464", x_forwarded_for="192.0.2.9"))


def test_metrics_are_open_on_loopback_and_where_they_are_said_to_be_public() -> None:
    assert access().may_read_metrics(scope())
    assert access(token=TOKEN).may_read_metrics(scope())
    assert not access(host="0.0.0.0", token=TOKEN).may_read_metrics(scope())
    assert access(host="0.0.0.0", token=TOKEN).may_read_metrics(scope(authorization=f"Bearer {TOKEN}"))
    assert access(host="0.0.0.0", token=TOKEN, metrics_public=True).may_read_metrics(scope())
