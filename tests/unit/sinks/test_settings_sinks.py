from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from detectors.settings import Strict
from monitor.settings import as_dict
from monitor.settings_errors import problems
from monitor.settings_shape import spot_of
from monitor.settings_sinks import SinkSettings

KEY = "R0utingKeySecret0000000000000000"
HOOK = "https://hooks.example.com/x?token=s3cretOfAnUrl"


class Root(Strict):
    sinks: dict[str, SinkSettings]


def wrong(**settings: Any) -> list[str]:
    data = {"sinks": {"mine": settings}}
    try:
        Root.model_validate(data)
    except ValidationError as exc:
        return [line.removeprefix("sinks.mine.") for line in problems(exc, spot_of(Root), data, {})]
    return []


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "slack", "webhook_url": HOOK},
        {"type": "slack", "webhook_url_file": "/run/secrets/slack"},
        {"type": "slack", "bot_token": "xoxb-1", "channel": "#soc"},
        {"type": "slack", "webhook_url": "http://192.0.2.1/hooks/x", "allow_private": ["192.0.2.0/24"]},
        {"type": "pagerduty", "routing_key": KEY},
        {"type": "pagerduty", "routing_key_file": "/run/secrets/pagerduty", "severities": {"low": "warning"}},
        {"type": "webhook", "url": HOOK},
        {"type": "webhook", "url": HOOK, "secret": "s" * 16, "headers": {"Authorization": "Bearer x"}, "allow_private": True},
        {"type": "webhook", "url": HOOK, "allow_private": "2001:db8::/32", "rate": {"sends": 5, "per_s": 1}},
        {"type": "alertmanager", "url": "http://alertmanager:9093"},
        {"type": "alertmanager", "url": "http://192.0.2.1:9093/prefix/", "username": "ada", "password": "x"},
        {"type": "kafka", "topic": "security.alerts"},
        {"type": "file", "path": "alerts.jsonl", "fsync": True},
        {"type": "stdout", "format": "ocsf"},
    ],
)
def test_what_can_be_set(settings: dict[str, Any]) -> None:
    assert wrong(**settings) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"type": "slack"}, "webhook_url: is missing; give it, or webhook_url_file or bot_token or bot_token_file"),
        ({"type": "slack", "webhook_url": HOOK, "bot_token": "x", "channel": "c"}, "bot_token: webhook_url is given as well; keep one"),
        ({"type": "slack", "bot_token": "x"}, "channel: is missing; name the channel the app posts to"),
        ({"type": "slack", "webhook_url": HOOK, "channel": "c"}, "channel: a webhook has its own channel; take this out"),
        (
            {"type": "slack", "webhook_url": "http://hooks.example.com/x"},
            "webhook_url: is http, which anybody on the way can read; use https, or allow its network in allow_private",
        ),
        ({"type": "pagerduty"}, "routing_key: is missing; give it, or routing_key_file"),
        (
            {"type": "pagerduty", "routing_key": "s3cret"},
            "routing_key: is no key of an Events API v2 integration, which has 32 letters and digits; copy it again",
        ),
        (
            {"type": "pagerduty", "routing_key": KEY, "severities": {"low": "none"}},
            "severities.low: 'none' is unknown; use critical, error, warning or info",
        ),
        ({"type": "webhook"}, "url: is missing; give it, or url_file"),
        ({"type": "webhook", "url": "hooks.example.com"}, "url: is no address that can be sent to; write it as https:// or http://host/…"),
        ({"type": "webhook", "url": "https://"}, "url: is no address that can be sent to; write it as https:// or http://host/…"),
        ({"type": "webhook", "url": "file:///etc/passwd"}, "url: is no address that can be sent to; write it as https:// or http://host/…"),
        ({"type": "webhook", "url": "https://h:99999/"}, "url: is no address; write it as https:// or http://host/…"),
        (
            {"type": "webhook", "url": "https://ada:s3cret@hooks.example.com/"},
            "url: holds a name or password before the host; give them in a setting of their own",
        ),
        ({"type": "webhook", "url": "https://h/a b"}, "url: holds characters that no address has; write others as %xx"),
        ({"type": "webhook", "url": HOOK, "secret": "s3cret"}, "secret: is too short; give 16 or more characters"),
        ({"type": "webhook", "url": HOOK, "secret": "s" * 16, "secret_file": "x"}, "secret_file: secret is given as well; keep one"),
        ({"type": "webhook", "url": HOOK, "headers": {"Content-Length": "1"}}, "headers: content-length is set by watchfloor; take it out"),
        (
            {"type": "webhook", "url": HOOK, "headers": {"X-Watchfloor-Signature": "1"}},
            "headers: x-watchfloor-signature is set by watchfloor; take it out",
        ),
        (
            {"type": "webhook", "url": HOOK, "headers": {"X-A": "s3cret\r\nHost: x"}},
            "headers: x-a has characters that a header cannot have; take them out",
        ),
        ({"type": "webhook", "url": HOOK, "headers": {"a b": "x"}}, "headers: name 1 is no name of a header; use letters, digits and -"),
        ({"type": "webhook", "url": HOOK, "headers": {"X-A": "1", "x-a": "2"}}, "headers: x-a is given twice; keep one"),
        (
            {"type": "webhook", "url": HOOK, "headers": {"X-A": "1"}, "header_files": {"X-A": "f"}},
            "header_files: x-a is among headers as well; keep one",
        ),
        ({"type": "webhook", "url": HOOK, "allow_private": 5}, "allow_private: is neither true nor a list of networks; use one of the two"),
        (
            {"type": "webhook", "url": HOOK, "allow_private": ["192.0.2.1/24"]},
            "allow_private: item 0 is no network; write it as 192.0.2.0/24, the bits after the prefix 0",
        ),
        ({"type": "alertmanager"}, "url: is missing; give text"),
        ({"type": "alertmanager", "url": "http://a:9093", "username": "ada"}, "password: is missing; give it, or password_file"),
        (
            {"type": "alertmanager", "url": "http://a:9093", "password": "x"},
            "username: is missing; give the name that belongs to the password",
        ),
        (
            {"type": "alertmanager", "url": "http://a:9093", "bearer_token": "x", "username": "a", "password": "s3cret"},
            "bearer_token: password is given as well; keep one",
        ),
        ({"type": "alertmanager", "url": "http://a:9093/?x=1"}, "url: has a query; give the address alone"),
        ({"type": "file", "path": "x", "webhook_url": "s3cret"}, "webhook_url: no such setting; use type, path, format or fsync"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_its_cure(settings: dict[str, Any], says: str) -> None:
    found = wrong(**settings)

    assert "s3cret" not in "".join(found)
    if settings["type"] == "file":
        assert found[0].startswith("webhook_url: no such setting")
    else:
        assert found == [says]


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "slack", "webhook_url": HOOK},
        {"type": "slack", "bot_token": "s3cretOfABot", "channel": "#soc"},
        {"type": "pagerduty", "routing_key": KEY},
        {"type": "webhook", "url": HOOK, "secret": "s3cretForSigning", "headers": {"X-A": "s3cretOfAHeader"}},
        {"type": "alertmanager", "url": "http://a:9093", "username": "ada", "password": "s3cretOfAda"},
        {"type": "alertmanager", "url": "http://a:9093", "bearer_token": "s3cretOfABearer"},
    ],
)
def test_no_secret_is_shown(settings: dict[str, Any]) -> None:
    root: BaseModel = Root.model_validate({"sinks": {"mine": settings}})

    for text in (repr(root), str(as_dict(root)), root.model_dump_json()):
        assert "s3cret" not in text
        assert KEY not in text
