import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor import __version__
from monitor.sinks.encode import encode
from monitor.sinks.webhook import sign
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.export import EXPORTS, ExportName
from tests.fake_services import BEARER, HOOK_PATH, HOOK_QUERY, SIGNING_SECRET, FakeServices, Request
from tests.sink_cases import alert, notification, sink


def posted(fake: FakeServices, sent: Alert, **settings: Any) -> Request:
    async def run() -> None:
        made = sink("webhook", fake, **settings)
        try:
            await made.send(notification(sent))
        finally:
            await made.close()

    asyncio.run(run())
    return fake.seen[-1]


def test_the_body_is_the_alert() -> None:
    with FakeServices() as fake:
        request = posted(fake, alert())

    assert msgspec.json.decode(request.body, type=Alert) == alert()


def test_headers_tell_a_receiver_what_it_needs() -> None:
    with FakeServices(wall=lambda: 1_770_000_000.0) as fake:
        request = posted(fake, alert(version=3), options={"wall": lambda: 1_770_000_000.9})

    expected = hmac.new(SIGNING_SECRET.encode(), b"1770000000." + request.body, hashlib.sha256).hexdigest()
    assert {
        "content-type": "application/json",
        "user-agent": f"watchfloor/{__version__}",
        "x-watchfloor-timestamp": "1770000000",
        "x-watchfloor-signature": f"v1={expected}",
        "idempotency-key": "id00001:3",
        "authorization": f"Bearer {BEARER}",
    }.items() <= request.headers.items()


def test_a_retry_has_the_same_idempotency_key_and_a_signature_of_its_own_time() -> None:
    with FakeServices(wall=lambda: 1_770_000_000.0) as fake:
        one = posted(fake, alert(), options={"wall": lambda: 1_770_000_000.0})
        two = posted(fake, alert(), options={"wall": lambda: 1_770_000_060.0})

    assert one.headers["idempotency-key"] == two.headers["idempotency-key"]
    assert one.headers["x-watchfloor-signature"] != two.headers["x-watchfloor-signature"]


def test_the_signature_covers_time_and_body() -> None:
    usual = sign("0123456789abcdef", "1", b"{}")

    assert (
        len({usual, sign("0123456789abcdeg", "1", b"{}"), sign("0123456789abcdef", "2", b"{}"), sign("0123456789abcdef", "1", b"[]")}) == 4
    )


def test_the_documented_check_accepts_what_is_sent_and_nothing_else() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "sinks.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    with FakeServices() as fake:
        request = posted(fake, alert())
    headers = {f"X-Watchfloor-{name}": request.headers[f"x-watchfloor-{name.lower()}"] for name in ("Timestamp", "Signature")}

    assert names["is_genuine"](headers, request.body, SIGNING_SECRET)
    assert not names["is_genuine"](headers, request.body + b" ", SIGNING_SECRET)
    assert not names["is_genuine"](headers, request.body, "another secret")
    assert not names["is_genuine"]({**headers, "X-Watchfloor-Timestamp": "1770000000"}, request.body, SIGNING_SECRET)


def test_without_a_secret_there_is_no_signature() -> None:
    with FakeServices() as fake:
        request = posted_unsigned(fake)

    assert "x-watchfloor-signature" not in request.headers


def posted_unsigned(fake: FakeServices) -> Request:
    async def run() -> None:
        made = sink("webhook", fake, secret=None)
        try:
            with pytest.raises(Exception, match="status 401"):
                await made.send(notification(alert()))
        finally:
            await made.close()

    asyncio.run(run())
    return fake.seen[-1]


@pytest.mark.parametrize("form", ["native", "ocsf", "ecs"])
def test_each_form(form: ExportName) -> None:
    with FakeServices() as fake:
        request = posted(fake, alert(), format=form)

    assert request.json == msgspec.json.decode(msgspec.json.encode(EXPORTS[form](alert())))


def test_secrets_from_files(tmp_path: Path) -> None:
    for name, text in (("url", ""), ("secret", SIGNING_SECRET), ("token", "Bearer s3cretOfAFile")):
        (tmp_path / name).write_text(f"{text}\n")
    with FakeServices() as fake:
        (tmp_path / "url").write_text(f"  {fake.url(f'{HOOK_PATH}?{HOOK_QUERY}')}\r\n")
        request = posted(
            fake,
            alert(),
            url=None,
            secret=None,
            headers={},
            url_file=tmp_path / "url",
            secret_file=tmp_path / "secret",
            header_files={"Authorization": tmp_path / "token"},
        )

        assert fake.complaints == []
    assert request.headers["authorization"] == "Bearer s3cretOfAFile"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("url_file", b"", "sinks.mine.url_file: is empty; write the secret into it"),
        ("url_file", b"not an address", "sinks.mine.url_file: holds characters that no address has; write others as %xx"),
        (
            "url_file",
            b"ftp://example.com/x",
            "sinks.mine.url_file: is no address that can be sent to; write it as https:// or http://host/…",
        ),
        ("url_file", b"\xff\xfe", "sinks.mine.url_file: is no text; name another file"),
        ("url_file", b"x" * 100_000, "sinks.mine.url_file: is too large for a secret; name another file"),
        ("url_file", None, "sinks.mine.url_file: cannot be read (no such file or directory); name a file that this user may read"),
        ("secret_file", b"short", "sinks.mine.secret_file: is too short; write 16 or more characters into it"),
        ("header_files", b"a\nb", "sinks.mine.header_files.X-Key: has characters that a header cannot have; take them out"),
        (
            "header_files",
            None,
            "sinks.mine.header_files.X-Key: cannot be read (no such file or directory); name a file that this user may read",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    settings: dict[str, dict[str, Any]] = {
        "url_file": {"url": None, "url_file": path},
        "secret_file": {"secret": None, "secret_file": path},
        "header_files": {"header_files": {"X-Key": path}},
    }

    with FakeServices() as fake, pytest.raises(ConfigurationError) as caught:
        sink("webhook", fake, **settings[name])

    assert str(caught.value) == says


def test_what_cannot_be_seen_is_written_as_an_escape() -> None:
    assert b"\\u202e" in encode(alert(name="a\u202eb"), "native")
    assert b"\\ud800" in encode(alert(name="a\ud800b"), "native")
