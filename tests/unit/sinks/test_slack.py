import asyncio
import json
from typing import Any

import pytest

from monitor.notification import DeliveryError, Notification, RefusedError, UnreachableError
from monitor.sinks.chat_text import clean, escaped
from monitor.sinks.slack_blocks import message
from schemas.alert import Attack, Entity
from tests.fake_rules import slack_problem
from tests.fake_services import FakeServices, Fault
from tests.sink_cases import HOSTILE, alert, hostile, notification, sink


def as_app(fake: FakeServices, *sent: Notification, keep: bool = True, **settings: Any) -> list[dict[str, Any]]:
    """Send in order, each with what the one before left behind."""

    async def run() -> list[dict[str, Any]]:
        made = sink("slack app", fake, **settings)
        memory: dict[str, Any] = {}
        memories = []
        try:
            for each in sent:
                memory = await made.send(notification(*each.alerts, reason=each.reason, status=each.status, memory=memory))
                memories.append(memory)
                memory = json.loads(json.dumps(memory)) if keep else {}
        finally:
            await made.close()
        return memories

    return asyncio.run(run())


def failing(fake: FakeServices, **memory: Any) -> DeliveryError:
    async def run() -> DeliveryError:
        made = sink("slack app", fake)
        try:
            with pytest.raises(DeliveryError) as caught:
                await made.send(notification(alert(), memory=memory))
        finally:
            await made.close()
        return caught.value

    return asyncio.run(run())


def threads(fake: FakeServices) -> list[str]:
    return [each["text"] for messages in fake.slack.threads.values() for each in messages]


RISES = notification(alert(version=2, severity="critical", count=90), reason="update")
GROWS = notification(alert(version=2, count=90), reason="update")
OVER = notification(alert(version=3, count=95, status="resolved"), reason="resolved", status="resolved")


def test_an_incident_is_one_message_that_is_edited() -> None:
    with FakeServices() as fake:
        as_app(fake, notification(alert()), GROWS, OVER)

        assert len(fake.slack.messages) == 1
        assert fake.slack.edits == 2
        (last,) = fake.slack.messages.values()
        assert last["blocks"][0]["text"]["text"] == "Resolved: Burst of failed logins: 203.0.113.9"


def test_the_thread_tells_what_is_worth_disturbing_somebody() -> None:
    with FakeServices() as fake:
        as_app(fake, notification(alert()), GROWS, RISES, notification(alert(severity="critical", count=90), reason="repeat"), OVER, OVER)

        assert threads(fake) == [
            "Severity rises from medium to critical: Burst of failed logins: 203.0.113.9.",
            "Still going on: 90 events, last seen 2026-03-03 00:06:00 UTC.",
            "Resolved: 95 events, last seen 2026-03-03 00:06:00 UTC.",
        ]


def test_an_attack_that_comes_back_is_told_in_its_thread() -> None:
    with FakeServices() as fake:
        as_app(fake, notification(alert()), OVER, notification(alert(count=120), reason="update"))

        assert threads(fake)[-1] == "It has come back: 120 events, last seen 2026-03-03 00:06:00 UTC."
        assert len(fake.slack.messages) == 1


def test_what_is_remembered_is_the_message() -> None:
    with FakeServices() as fake:
        assert as_app(fake, notification(alert())) == [
            {"channel": "C0000000SOC", "ts": "1770000000.000000", "to": "#soc", "severity": "medium", "status": "firing"}
        ]


def test_without_a_memory_there_is_a_message_each_time() -> None:
    with FakeServices() as fake:
        as_app(fake, notification(alert()), GROWS, keep=False)

        assert len(fake.slack.messages) == 2


@pytest.mark.parametrize(
    "memory",
    [
        {"channel": "C0000000SOC", "ts": "1.0", "to": "#soc"},  # somebody has deleted it
        {"channel": "C0000000OLD", "ts": "1.0", "to": "#old"},  # another channel is configured now
        {"channel": 5, "ts": None, "to": "#soc"},
        {"channel": "C0000000XXX", "ts": "1.0", "to": "#soc"},
    ],
)
def test_a_message_that_is_not_there_any_more_is_made_anew(memory: dict[str, Any]) -> None:
    async def run(fake: FakeServices) -> dict[str, Any]:
        made = sink("slack app", fake)
        try:
            return await made.send(notification(alert(), reason="update", memory=memory))
        finally:
            await made.close()

    with FakeServices() as fake:
        assert asyncio.run(run(fake))["ts"] == "1770000000.000000"
        assert len(fake.slack.messages) == 1


def test_a_storm_is_a_message_of_its_own_each_time() -> None:
    async def run(fake: FakeServices) -> None:
        made = sink("slack app", fake)
        memory: dict[str, Any] = {}
        try:
            for _ in range(2):
                memory = await made.send(notification(alert(), reason="storm", suppressed=40, memory=memory))
        finally:
            await made.close()

    with FakeServices() as fake:
        asyncio.run(run(fake))

        assert [each["blocks"][0]["text"]["text"] for each in fake.slack.messages.values()] == ["Alert storm: 40 further incidents"] * 2


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("invalid_auth", UnreachableError, "sinks.mine.bot_token: Slack does not accept it (invalid_auth)"),
        ("token_revoked", UnreachableError, "sinks.mine.bot_token: "),
        ("missing_scope", UnreachableError, "chat:write"),
        ("channel_not_found", UnreachableError, "sinks.mine.channel: cannot be posted to (channel_not_found)"),
        ("not_in_channel", UnreachableError, "invite the app"),
        ("is_archived", UnreachableError, "sinks.mine.channel: "),
        ("ratelimited", UnreachableError, "come back later (ratelimited)"),
        ("internal_error", UnreachableError, "later"),
        ("fatal_error", UnreachableError, "later"),
        ("invalid_blocks", RefusedError, "Slack refused the message (invalid_blocks)"),
        ("a new one", RefusedError, "an error without a name"),
        ("<script>" * 100, RefusedError, "an error without a name"),
    ],
)
def test_an_error_in_a_200_is_an_error(code: str, kind: type[DeliveryError], says: str) -> None:
    with FakeServices() as fake:
        fake.slack_error = code

        error = failing(fake)

    assert isinstance(error, kind)
    assert says in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"[" * 10_000, b"\xff\xfe"])
def test_an_answer_that_is_not_slacks(body: bytes) -> None:
    with FakeServices() as fake:
        fake.fail(Fault(status=200, body=body))

        assert isinstance(failing(fake), UnreachableError)


def test_a_message_that_was_taken_is_not_sent_again_for_want_of_its_place() -> None:
    with FakeServices() as fake:
        fake.fail(Fault(status=200, body=b'{"ok": true}'))

        assert as_app(fake, notification(alert())) == [{}]


# -- blocks ---------------------------------------------------------------------------------------------------------------------------


def texts(made: dict[str, Any], kind: str) -> list[str]:
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == kind:
                found.append(value["text"])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(made)
    return found


def test_a_message_shows_what_one_has_to_know() -> None:
    made = message(notification(alert(), alert(2, "root", severity="high", entity=Entity("actor", "root"), count=1)))

    assert made["text"] == (
        "[high] Burst of failed logins: 203.0.113.9. 37 failed logins of 203.0.113.9 in 10 min."
    )  # the severity is that of the gravest alert
    assert made["attachments"][0]["color"] == "#e8590c"
    assert texts(made, "plain_text") == [
        "Burst of failed logins: 203.0.113.9",
        "37 failed logins of 203.0.113.9 in 10 min.",
        "203.0.113.9 (ip)",
        "acme",
        "37",
        "2026-03-03 00:01:00 UTC",
        "2026-03-03 00:06:00 UTC",
        "Counterfactual: silent with fewer than 20 failures in 10 min",
        "Also in this incident:\nBurst of failed logins: root (high, 1 event)",
        "alert id00001 · incident incident00001 · failed_login_burst",
    ]
    assert texts(made, "mrkdwn") == [
        "*HIGH* · new · firing · 2 alerts",
        "*Entity*",
        "*Tenant*",
        "*Events*",
        "*First seen*",
        "*Last seen*",
        "ATT&amp;CK: <https://attack.mitre.org/techniques/T1110/001/|T1110.001>",
        "<https://runbooks.example.com/failed_login_burst.md|Runbook>",
    ]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_a_log_says_stands_where_marks_are_read(name: str) -> None:
    usual = texts(message(notification(alert())), "mrkdwn")

    found = texts(message(notification(hostile(name))), "mrkdwn")

    # A runbook that is no link is plain text, and so is a technique that is none.
    assert set(found) - set(usual) <= {"ATT&amp;CK: <https://attack.mitre.org/techniques/T1110/|T1110>", "no runbook"}


def test_fifty_alerts_with_long_names_stay_within_the_limits() -> None:
    made = message(notification(*(hostile("<&>" * 3_000, number) for number in range(50))))

    assert slack_problem(json.dumps(made).encode()) is None
    assert any(text.endswith("\n… and 44 more") for text in texts(made, "plain_text"))


def test_a_long_text_shows_that_it_was_cut() -> None:
    made = message(notification(alert(title="t" * 500, summary="s" * 5_000)))

    header, summary = texts(made, "plain_text")[:2]
    assert header == "t" * 149 + "…"
    assert summary == "s" * 1_499 + "…"


def test_a_runbook_in_a_folder_is_no_link() -> None:
    made = message(notification(alert(runbook="deploy/runbooks/a.md")))

    assert "Runbook: deploy/runbooks/a.md" in texts(made, "plain_text")


def test_many_techniques_have_room() -> None:
    made = message(notification(alert(attack=Attack("19", tuple(f"T{number}" for number in range(1000, 1100))))))

    assert slack_problem(json.dumps(made).encode()) is None


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("plain", 10, "plain"),
        ("a<b>c&d", 50, "a&lt;b&gt;c&amp;d"),
        ("&amp;", 50, "&amp;amp;"),
        ("<<<", 12, "&lt;&lt;&lt;"),
        ("<<<", 11, "&lt;&lt;…"),
        ("<<<", 5, "&lt;…"),
        ("<", 1, "…"),
        ("😀😀😀", 6, "😀😀😀"),
        ("😀😀😀", 5, "😀😀…"),
        ("a\u202e\u202e\u202eb", 10, "a\ufffdb"),
        ("", 10, ""),
    ],
)
def test_escaping_and_cutting(text: str, limit: int, expected: str) -> None:
    assert escaped(text, limit) == expected


def test_a_name_that_is_far_too_long_costs_little() -> None:
    assert clean("\x00" * 10_000_000 + "a", 10) == "\ufffd"
