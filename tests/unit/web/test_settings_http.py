from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from detectors.settings import Strict
from monitor.settings_errors import problems
from monitor.settings_http import HttpSettings, is_loopback
from monitor.settings_shape import spot_of
from schemas.errors import ConfigurationError

TOKEN = "0123456789abcdef"


class Root(Strict):
    http: HttpSettings = HttpSettings()


def said(given: dict[str, Any]) -> list[str]:
    data = {"http": given}
    with pytest.raises(ValidationError) as caught:
        Root.model_validate(data)
    return problems(caught.value, spot_of(Root), data, {})


def test_by_default_only_this_machine_can_ask() -> None:
    settings = HttpSettings()
    assert (settings.host, settings.port, settings.is_local, settings.read_token()) == ("127.0.0.1", 9464, True, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
def test_other_machines_need_a_token(host: str) -> None:
    (line,) = said({"host": host})
    assert line == "http.host: can be reached from other machines, and no token is set; set token_file (or token), or host 127.0.0.1"
    assert HttpSettings.model_validate({"host": host, "token": TOKEN}).read_token() == TOKEN


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"host": "example.com"}, "http.host: is no IP address; use 127.0.0.1 (this machine only), 0.0.0.0 or :: (every network)"),
        ({"token": TOKEN, "token_file": "t"}, "http.token_file: token is set too; keep one of them"),
        ({"token": "short"}, "http.token: does not fit; use at least 16 letters, digits and signs without spaces"),
        ({"token": "with a space in the middle"}, "http.token: does not fit; use at least 16"),
        ({"allowed_hosts": ["https://example.com/"]}, "http.allowed_hosts.0: is no host name; write it without scheme, port or path"),
    ],
)
def test_what_is_wrong_is_said_with_the_cure_and_without_the_secret(given: dict[str, Any], line: str) -> None:
    (found,) = said(given)
    assert found.startswith(line)
    assert str(given.get("token", "\0")) not in found


def test_a_token_file_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert HttpSettings(host="0.0.0.0", token_file=tmp_path / "token").read_token() == TOKEN


def test_a_token_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2")
    for name, words in (("token", "does not fit; use at least 16"), ("none", "no such file or directory")):
        with pytest.raises(ConfigurationError, match=words) as caught:
            HttpSettings(token_file=tmp_path / name).read_token()
        assert str(caught.value).startswith("http.token_file: ")
        assert "hunter2" not in str(caught.value)


def test_the_token_is_not_in_any_text_of_the_settings() -> None:
    settings = HttpSettings.model_validate({"token": TOKEN})
    assert TOKEN not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_addresses(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "localhost.example.com", "", "fe80::1%eth0"])
def test_other_addresses(address: str) -> None:
    assert not is_loopback(address)
