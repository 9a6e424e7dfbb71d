from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RejectError
from schemas.event import KINDS
from schemas.formats.base import Context, Memory
from schemas.formats.sshd import FORMAT, SshdParser


def parser() -> SshdParser:
    return FORMAT.parser(Context(memory=Memory(), year=2024))


def line(message: str) -> bytes:
    return f"Mar  7 13:00:00 web-1 sshd[100]: {message}\n".encode()


AUTH = b"Mar  7 13:06:56 h sshd[1]: Invalid user x from 192.0.2.1 port 5\n"
CRON = b"Mar  7 13:06:56 h CRON[1]: pam_unix(cron:session): session opened for user root by (uid=0)\n"
LOGIND = b"Mar  7 13:06:56 h systemd-logind[1]: New seat seat0.\n"
NGINX = b'Mar  7 13:06:56 h nginx[2869]: 192.0.2.1 - - [07/Mar/2024:13:06:56 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n'
KERNEL = b"Mar  7 13:06:56 h kernel: [1.0] hello\n"


@pytest.mark.parametrize(
    ("sample", "least", "most"),
    [
        (AUTH, 1.0, 1.0),
        (AUTH.rstrip(), 1.0, 1.0),
        (AUTH * 9 + AUTH[:20], 1.0, 1.0),
        (AUTH + CRON * 20 + LOGIND * 20, 0.5, 1.0),
        (CRON * 20 + LOGIND * 20, 0.5, 1.0),
        (AUTH + KERNEL * 7, 0.5, 0.5),
        (b"\n\n" + AUTH, 1.0, 1.0),
        (NGINX * 20, 0.0, 0.0),
        (NGINX * 40 + AUTH, 0.0, 0.1),
        (KERNEL * 20, 0.0, 0.0),
        (b'{"time": 1, "kind": "auth.login"}\n' * 5, 0.0, 0.0),
        (b"", 0.0, 0.0),
        (b"\n", 0.0, 0.0),
        (b"\x00\xff" * 100, 0.0, 0.0),
    ],
)
def test_auth_log_is_recognised(sample: bytes, least: float, most: float) -> None:
    assert least <= FORMAT.recognise(sample) <= most


IP = "192.0.2.1"
FAILED = f"Failed password for root from {IP} port 5 ssh2"
MESSAGES = [
    f"Invalid user x from {IP} port 5",
    FAILED,
    f"message repeated 5 times: [ {FAILED}]",
    f"Failed password for invalid user x from {IP} port 5 ssh2",
    f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={IP}  user=root",
    f"PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={IP}  user=root",
    f"error: PAM: Authentication failure for root from {IP}",
    f"error: maximum authentication attempts exceeded for root from {IP} port 5 ssh2 [preauth]",
]
REAL_LOOKING = [line(each) for each in MESSAGES] + [
    line(f"Connection closed by authenticating user root {IP} port 5 [preauth]"),
    line(f"Unable to negotiate with {IP} port 1: no matching MAC found. [preauth]"),
    line(f"refused connect from example.com ({IP})"),
    b'<38>1 2022-01-19T14:23:55+00:00 h sshd 44255 - [meta x="\\]"] Invalid user x from 192.0.2.1 port 33166',
    b"2024-05-01T12:00:00.123456+02:00 h sudo: bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
    b"Feb 29 23:59:60 h useradd[1]: new user: name=eve, UID=1",
    b"Dec 31 23:59:59 h usermod[1]: add 'x' to group 'sudo'",
]


def only_rejects(reader: SshdParser, record: bytes) -> None:
    try:
        events = reader.parse(record)
    except RejectError:
        return
    for event in events:
        assert event.kind in KINDS
        assert event.id
        assert event.ts > 0


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_give_events_or_a_reject(records: list[bytes]) -> None:
    reader = parser()
    for record in records:
        only_rejects(reader, record)
        assert 0 <= FORMAT.recognise(record) <= 1


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(REAL_LOOKING), st.integers(0, 200), st.integers(0, 30), st.binary(max_size=12)), max_size=8))
def test_damaged_lines_give_events_or_a_reject(changes: list[tuple[bytes, int, int, bytes]]) -> None:
    reader = parser()
    for record, start, length, put in changes:
        only_rejects(reader, record[:start] + put + record[start + length :])


@pytest.mark.parametrize("filler", [" from ", "user=", " port 1", "a 1.2.3.4 port 5: ", "] ", '[a b="', "rhost= user=", "[", "\\"])
@pytest.mark.parametrize(
    "head", [*MESSAGES, "Disconnecting invalid user ", "Connection closed by invalid user ", "ssh_dispatch_run_fatal: Connection from "]
)
def test_long_hostile_line_costs_little(head: str, filler: str) -> None:
    # Would take minutes if any pattern went back and forth over the line; 60 kB are read in milliseconds.
    for text in (
        head + filler * (60_000 // len(filler)),
        head[: len(head) // 2] + filler * (60_000 // len(filler)) + head[len(head) // 2 :],
    ):
        only_rejects(parser(), line(text))
        only_rejects(parser(), b"<38>1 2022-01-19T14:23:55Z h sshd 1 - [" + text.encode())


@pytest.mark.realdata
def test_real_auth_log_is_read_whole_and_each_attempt_once(real_logs: Path) -> None:
    reader = parser()
    events = [event for record in (real_logs / "sshd" / "ec2-auth.log").read_bytes().splitlines() for event in reader.parse(record)]
    # Counted with grep: 83 "Accepted"; 88 "Invalid user" (12 "Failed password for invalid user" follow two of them, so 10 more attempts);
    # 10 "Failed password" for users who exist and one line of 5 repeats; each of the 4 "Failed publickey" is followed by "Accepted" of the same connection; 32 "maximum … for root", one of them after
    # its own "Failed" lines; 83 sessions; of 181 connections closed before or without a name, 115 are not of the connections above.
    assert Counter((event.kind, event.outcome, event.reason) for event in events) == {
        ("auth.login", "success", None): 83,
        ("auth.login", "failure", "unknown_user"): 88 + 10,
        ("auth.login", "failure", "bad_password"): 10 + 5,
        ("auth.login", "failure", "max_attempts"): 31,
        ("auth.session", "success", None): 83,
        ("auth.logout", "success", None): 83,
        ("auth.session", "failure", "probe"): 115,
        ("auth.session", "failure", "probe_protocol"): 5,
        ("auth.session", "failure", "probe_key_exchange"): 1,
        ("admin.action", "success", None): 108 + 6,  # sudo, su
        ("account.change", "success", None): 10 + 11,  # users, groups
        ("account.change", "failure", "failed"): 30,
        ("auth.password_change", "success", None): 10,
    }
    assert len({event.id for event in events}) == len(events)
    assert [event.ts for event in events] == sorted(event.ts for event in events)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("ssh-bf/ssh-bf.log", {("auth.login", "failure", "unknown_user"): 6}),
        ("opnsense-sshd/opnsense-sshd.log", {("auth.login", "failure", "unknown_user"): 10}),
        ("sshd-bad-keyexchange-bf/sshd-bad-keyexchange-bf.log", {("auth.session", "failure", "probe_key_exchange"): 19}),
        ("sshd-refused-conn/sshd-refused-conn.log", {("auth.session", "failure", "refused"): 1}),
        ("sshd-impossible-travel/sshd-success-logs.log", {("auth.login", "success", None): 2}),
    ],
)
def test_real_attacks_are_seen(real_logs: Path, file: str, expected: dict[tuple[str, str, str | None], int]) -> None:
    sample = (real_logs / "crowdsec" / file).read_bytes()
    reader = parser()
    found = Counter((event.kind, event.outcome, event.reason) for record in sample.splitlines() for event in reader.parse(record))
    assert found == expected
    assert FORMAT.recognise(sample) == 1.0
