"""What every sink that speaks HTTP must do, whatever its messages look like."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.notification import DeliveryError, Notification, RefusedError, Sink, UnreachableError
from tests.fake_services import BOT_TOKEN, SECRETS, WEBHOOK_PATH, FakeServices, Fault, found_secrets
from tests.sink_cases import ADDRESS_OF, HOSTILE, KINDS, alert, hostile, notification, sink

pytestmark = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeServices]:
    with FakeServices() as running:
        yield running


@pytest.fixture
def fake(shared: FakeServices) -> FakeServices:
    shared.recover()
    for kept in (shared.seen, shared.taken, shared.complaints):
        kept.clear()
    return shared


def send(made: Sink, *notifications: Notification) -> list[dict[str, Any] | DeliveryError]:
    """What comes of each; errors are of the two kinds, or the test fails."""

    async def run() -> list[dict[str, Any] | DeliveryError]:
        results: list[dict[str, Any] | DeliveryError] = []
        try:
            for each in notifications:
                try:
                    results.append(await made.send(each))
                except (RefusedError, UnreachableError) as exc:
                    results.append(exc)
        finally:
            await made.close()
        return results

    return asyncio.run(run())


def failure(made: Sink, sent: Notification | None = None) -> DeliveryError:
    (result,) = send(made, sent or notification(alert()))
    assert isinstance(result, DeliveryError)
    assert not [secret for secret in SECRETS if secret in f"{result} {result.__cause__!r} {result.__context__!r}"]
    assert "\n" not in str(result)
    assert str(result).startswith("sinks.mine."), result
    return result


def test_a_message_is_taken(kind: str, fake: FakeServices) -> None:
    results = send(sink(kind, fake), notification(alert()))

    assert [type(result) for result in results] == [dict]
    assert fake.complaints == []
    assert [request.service for request in fake.taken] == [KINDS[kind][0]]


def test_what_is_remembered_is_json(kind: str, fake: FakeServices) -> None:
    (memory,) = send(sink(kind, fake), notification(alert()))

    assert json.loads(json.dumps(memory)) == memory


def test_every_reason_is_taken(kind: str, fake: FakeServices) -> None:
    sent = [
        notification(alert(), reason="new"),
        notification(alert(version=2, severity="high"), reason="update"),
        notification(alert(version=3), reason="repeat"),
        notification(alert(version=4, status="resolved"), reason="resolved", status="resolved"),
        notification(alert(), reason="test"),
    ]
    made = sink(kind, fake)
    if made.max_alerts > 1:
        sent.append(notification(alert(1), alert(2, severity="critical"), reason="storm", suppressed=40))

    results = send(made, *sent)

    assert [result for result in results if isinstance(result, DeliveryError)] == []
    assert fake.complaints == []


def test_as_many_alerts_as_it_says_are_taken_at_once(kind: str, fake: FakeServices) -> None:
    made = sink(kind, fake)

    (result,) = send(made, notification(*(alert(n, "x" * 256) for n in range(made.max_alerts))))

    assert isinstance(result, dict)
    assert fake.complaints == []


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_breaks_a_message_or_speaks_for_itself(kind: str, fake: FakeServices, name: str) -> None:
    made = sink(kind, fake)
    sent = [notification(hostile(name)), notification(hostile(name, 1), reason="update")]
    if made.max_alerts > 1:
        sent += [notification(alert(1), hostile(name, 2)), notification(hostile(name), reason="storm", suppressed=3)]

    results = send(made, *sent)

    assert [result for result in results if isinstance(result, DeliveryError)] == []
    assert fake.complaints == []
    for request in fake.taken:
        text = request.body.decode()
        assert not [c for c in text if not c.isprintable()]
        # Escapes of what cannot be seen are for machines, which take the alert as it is; what people read has none.
        assert kind == "webhook" or not [c for c in _texts(request.json) if not c.isprintable() and c != "\n"]


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"{_texts(key)}{_texts(item)}" for key, item in value.items())
    return "".join(map(_texts, value)) if isinstance(value, list) else value if isinstance(value, str) else ""


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, dict) for status in (200, 201, 202, 204)),
        *((status, RefusedError) for status in (400, 413, 422, 451)),
        *((status, UnreachableError) for status in (301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 407, 410)),
        *((status, UnreachableError) for status in (408, 425, 429, 500, 501, 502, 503, 504, 507, 599)),
    ],
)
def test_a_status_means_the_same_for_all(kind: str, fake: FakeServices, status: int, expected: type) -> None:
    body = b"" if status in {204, 304} else b'{"ok": true, "channel": "C0000000SOC", "ts": "1.0"}'
    fake.fail(Fault(status=status, headers=(("Location", fake.url("/elsewhere")),), body=body))
    if (kind, status) == ("slack app", 204):
        expected = UnreachableError  # Slack's Web API always says something

    (result,) = send(sink(kind, fake), notification(alert()))

    assert isinstance(result, expected)
    assert len(fake.seen) == 1  # no redirect was followed
    if isinstance(result, DeliveryError):
        assert str(status) in str(result) or status == 204
        assert found_secrets(str(result)) == []


def test_a_429_waits_as_long_as_it_says(kind: str, fake: FakeServices) -> None:
    fake.fail(Fault(status=429, headers=(("Retry-After", "37"),)))

    result = failure(sink(kind, fake))

    assert isinstance(result, UnreachableError)
    assert result.retry_after_s == 37.0


def test_a_503_may_name_a_date(kind: str, fake: FakeServices) -> None:
    # 1772496000 is 2026-03-03T00:00:00Z.
    fake.fail(Fault(status=503, headers=(("Retry-After", "Tue, 03 Mar 2026 00:02:00 GMT"),)))

    result = failure(sink(kind, fake, options={"wall": lambda: 1_772_496_000.0}))

    assert isinstance(result, UnreachableError)
    assert result.retry_after_s == 120.0


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", "9" * 5_000, "", "Tue, 99 Mar 2026"])
def test_a_wait_that_cannot_be_read_is_none(kind: str, fake: FakeServices, value: str) -> None:
    fake.fail(Fault(status=429, headers=(("Retry-After", value),)))

    result = failure(sink(kind, fake))

    assert isinstance(result, UnreachableError)
    assert result.retry_after_s is None


@pytest.mark.parametrize(
    "fault",
    [Fault(garbage=True), Fault(close="at once"), Fault(wait_s=30.0)],
    ids=["garbage", "closed", "slow"],
)
def test_without_an_answer_it_is_tried_again_later(kind: str, fake: FakeServices, fault: Fault) -> None:
    fake.fail(fault)
    begun = time.monotonic()

    result = failure(sink(kind, fake, timeout_s=0.5))

    assert isinstance(result, UnreachableError)
    assert str(result).startswith(f"sinks.mine.{ADDRESS_OF[kind]}: ")
    assert time.monotonic() - begun < 3.0


@pytest.mark.parametrize(
    "fault",
    [Fault(close="mid-body"), Fault(drip_s=0.05), Fault(huge=50_000_000)],
    ids=["closed in mid-body", "drips", "huge"],
)
def test_an_answer_that_never_ends_is_bounded(kind: str, fake: FakeServices, fault: Fault) -> None:
    fake.fail(fault)
    begun = time.monotonic()

    (result,) = send(sink(kind, fake, timeout_s=2.0), notification(alert()))

    # The status said that it was taken. Slack's Web API says so in the body alone.
    assert isinstance(result, UnreachableError if kind == "slack app" else dict)
    assert time.monotonic() - begun < 4.0


def test_after_a_trouble_the_next_message_is_taken(kind: str, fake: FakeServices) -> None:
    fake.fail(Fault(close="at once"), Fault(garbage=True), Fault(status=500), Fault(close="mid-body"))

    results = send(sink(kind, fake), *[notification(alert())] * 5)

    assert isinstance(results[-1], dict)


def test_a_connection_is_used_again(kind: str, fake: FakeServices) -> None:
    before = fake.connections

    send(sink(kind, fake), *[notification(alert())] * 4)

    assert fake.connections - before == 1


def test_a_certificate_of_nobody_known_is_not_trusted(kind: str, fake: FakeServices) -> None:
    result = failure(sink(kind, fake, ca_file=None))

    assert isinstance(result, UnreachableError)
    assert "set sinks.mine.ca_file" in str(result)
    assert fake.seen == []


def test_a_certificate_of_another_name_is_not_trusted(kind: str, fake: FakeServices) -> None:
    setting = ADDRESS_OF[kind]
    other = KINDS[kind][1](fake)[setting].replace("alerts.example.com", "other.example.com")

    result = failure(sink(kind, fake, **{setting: other}))

    assert "is for another name" in str(result)
    assert fake.seen == []


def test_nobody_listens(kind: str, fake: FakeServices) -> None:
    setting = ADDRESS_OF[kind]
    closed = KINDS[kind][1](fake)[setting].replace(f":{fake.port}", ":1")

    result = failure(sink(kind, fake, **{setting: closed}))

    assert isinstance(result, UnreachableError)
    assert "no connection" in str(result)


def test_a_name_that_is_not_known(kind: str, fake: FakeServices) -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    result = failure(sink(kind, fake, options={"resolver": nowhere}))

    assert isinstance(result, UnreachableError)
    assert "cannot be resolved" in str(result)


def test_a_name_server_that_does_not_answer(kind: str, fake: FakeServices) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    assert isinstance(failure(sink(kind, fake, timeout_s=0.3, options={"resolver": never})), UnreachableError)


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "fe80::1", "224.0.0.1", "::ffff:169.254.169.254", "0.0.0.0"])
def test_no_sink_reaches_where_nothing_of_it_is(kind: str, fake: FakeServices, address: str) -> None:
    async def there(host: str, port: int) -> list[str]:
        return [address]

    result = failure(sink(kind, fake, options={"resolver": there}))

    assert isinstance(result, UnreachableError)
    assert "an address that is not sent to" in str(result)


def test_the_environment_changes_nothing(kind: str, fake: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert isinstance(send(sink(kind, fake), notification(alert()))[0], dict)


def test_a_cookie_is_not_kept(kind: str, fake: FakeServices) -> None:
    fake.fail(Fault(status=500, headers=(("Set-Cookie", "a=b"),)))

    send(sink(kind, fake), *[notification(alert())] * 2)

    assert ["cookie" in request.headers for request in fake.seen] == [False, False]


def test_no_secret_is_logged(kind: str, fake: FakeServices, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.fail(Fault(), Fault(status=500), Fault(garbage=True), Fault(status=404), Fault(close="at once"))
    fake.fail(Fault(status=302, headers=(("Location", fake.url(WEBHOOK_PATH)),), body=BOT_TOKEN.encode()))

    send(sink(kind, fake), *[notification(alert())] * 6)

    assert found_secrets(caplog.text) == []
    assert "failed logins" not in caplog.text
