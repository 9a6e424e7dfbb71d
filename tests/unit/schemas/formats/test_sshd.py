import pytest

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context, Memory
from schemas.formats.sshd import FORMAT, SshdParser
from tests.checkpoints import copied

Said = tuple[str, str | None, str | None, str | None, str | None]
"""Outcome, actor, address, reason, action."""


def parser(memory: Memory | None = None, tenant: str | None = None) -> SshdParser:
    return FORMAT.parser(Context(memory=memory or Memory(), year=2024, tenant=tenant))


def line(message: str, pid: str = "100", second: int = 0) -> bytes:
    tag = f"sshd[{pid}]" if pid else "sshd"
    return f"Mar  7 13:{second // 60:02}:{second % 60:02} web-1 {tag}: {message}\n".encode()


def read(*messages: str, pid: str = "100") -> list[Event]:
    reader = parser()
    return [event for message in messages for event in reader.parse(line(message, pid))]


def logins(*messages: str, pid: str = "100") -> list[Said]:
    return [(e.outcome or "", e.actor, e.ip, e.reason, e.action) for e in read(*messages, pid=pid) if e.kind == "auth.login"]


def local(program: str, message: str) -> list[tuple[str, str | None, str | None, str | None, str | None, str | None]]:
    events = parser().parse(f"Mar  7 13:06:56 web-1 {program}: {message}".encode())
    return [(e.kind, e.outcome, e.action, e.actor, e.target, e.reason) for e in events]


IP = "192.0.2.1"
PAM = f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={IP} "


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"Accepted password for bob from {IP} port 22 ssh2", ("success", "bob", IP, None, "password")),
        (f"Accepted publickey for bob from {IP} port 22 ssh2: RSA SHA256:abc", ("success", "bob", IP, None, "publickey")),
        (f"Accepted keyboard-interactive/pam for bob from {IP} port 1 ssh2", ("success", "bob", IP, None, "keyboard-interactive/pam")),
        ("Accepted password for bob from 2001:DB8::0:1 port 22 ssh2", ("success", "bob", "2001:db8::1", None, "password")),
        ("Accepted password for bob from ::ffff:192.0.2.1 port 22 ssh2", ("success", "bob", IP, None, "password")),
        (f"Failed password for root from {IP} port 22 ssh2", ("failure", "root", IP, "bad_password", "password")),
        (f"Failed password for invalid user x from {IP} port 22 ssh2", ("failure", "x", IP, "unknown_user", "password")),
        (f"Failed password for illegal user x from {IP} port 22 ssh2", ("failure", "x", IP, "unknown_user", "password")),
        ("Failed password for root from UNKNOWN port 65535 ssh2", ("failure", "root", None, "bad_password", "password")),
        ("Failed password for root from host.example.com port 1 ssh2", ("failure", "root", None, "bad_password", "password")),
        (f"Invalid user bob from {IP} port 22", ("failure", "bob", IP, "unknown_user", None)),
        (f"Invalid user bob from {IP}", ("failure", "bob", IP, "unknown_user", None)),
        (f"Illegal user bob from {IP}", ("failure", "bob", IP, "unknown_user", None)),
        (f"Invalid user  from {IP} port 22", ("failure", None, IP, "unknown_user", None)),
        (f"Invalid user a b c from {IP} port 22", ("failure", "a b c", IP, "unknown_user", None)),
        (f"Failed none for invalid user x from {IP} port 22 ssh2", ("failure", "x", IP, "unknown_user", "none")),
        (f"User bob from {IP} not allowed because not listed in AllowUsers", ("failure", "bob", IP, "not_allowed", None)),
        (f"ROOT LOGIN REFUSED FROM {IP} port 22", ("failure", "root", IP, "not_allowed", None)),
        (f"error: PAM: Authentication failure for bob from {IP}", ("failure", "bob", IP, "bad_password", "keyboard-interactive/pam")),
        (f"error: PAM: User account has expired for bob from {IP}", ("failure", "bob", IP, "not_allowed", "keyboard-interactive/pam")),
        (f"Connection closed by authenticating user bob {IP} port 1 [preauth]", ("failure", "bob", IP, "aborted", None)),
        (f"Connection reset by authenticating user bob {IP} port 1 [preauth]", ("failure", "bob", IP, "aborted", None)),
        (f"Disconnected from authenticating user bob {IP} port 1 [preauth]", ("failure", "bob", IP, "aborted", None)),
        (f"Connection closed by invalid user x {IP} port 1 [preauth]", ("failure", "x", IP, "unknown_user", None)),
        (f"Connection closed by invalid user  {IP} port 1 [preauth]", ("failure", None, IP, "unknown_user", None)),
        (
            f"Disconnecting authenticating user bob {IP} port 1: Too many authentication failures [preauth]",
            ("failure", "bob", IP, "max_attempts", None),
        ),
        (
            f"error: maximum authentication attempts exceeded for root from {IP} port 5 ssh2 [preauth]",
            ("failure", "root", IP, "max_attempts", None),
        ),
        (
            f"error: maximum authentication attempts exceeded for invalid user x from {IP} port 5 ssh2 [preauth]",
            ("failure", "x", IP, "unknown_user", None),
        ),
        (f"Too many authentication failures for bob from {IP} port 5 ssh2", ("failure", "bob", IP, "max_attempts", None)),
    ],
)
def test_one_line_alone_tells_of_one_attempt(message: str, expected: Said) -> None:
    assert logins(message) == [expected]
    assert logins(message, pid="") == [expected]


@pytest.mark.parametrize(
    ("message", "actor"),
    [
        ("Invalid user a from 198.51.100.4 from 192.0.2.1 port 1", "a from 198.51.100.4"),
        ("Invalid user a from 198.51.100.4 port 5 from 192.0.2.1", "a from 198.51.100.4 port 5"),
        ("Failed password for invalid user a from 198.51.100.4 port 5 ssh2 from 192.0.2.1 port 1 ssh2", "a from 198.51.100.4 port 5 ssh2"),
        ("Connection closed by invalid user a 198.51.100.4 port 5 192.0.2.1 port 1 [preauth]", "a 198.51.100.4 port 5"),
        ("Accepted publickey for bob from 192.0.2.1 port 1 ssh2: RSA-CERT SHA256:x ID a from 198.51.100.4 port 5 ssh2 (serial 0)", "bob"),
        ("Invalid user \x1b[31m\x00red from 192.0.2.1 port 1", "\x1b[31m\x00red"),
    ],
)
def test_stranger_cannot_choose_the_address(message: str, actor: str) -> None:
    assert [(e.actor, e.ip) for e in read(message)] == [(actor, "192.0.2.1")]


def test_protocol_text_of_the_stranger_cannot_choose_the_address() -> None:
    [event] = read("Bad protocol version identification 'GET / from 198.51.100.4 port 1' from 192.0.2.1 port 5")
    assert event.ip == "192.0.2.1"


INVALID = f"Invalid user x from {IP} port 5"
FAILED = f"Failed password for root from {IP} port 5 ssh2"
FAILED_X = f"Failed password for invalid user x from {IP} port 5 ssh2"
PAM_ERROR = f"error: PAM: Authentication failure for root from {IP}"
FAILED_KEYBOARD = f"Failed keyboard-interactive/pam for root from {IP} port 5 ssh2"
KEY = f"Failed publickey for root from {IP} port 5 ssh2: RSA SHA256:abc"
KEY_X = f"Failed publickey for invalid user x from {IP} port 5 ssh2: RSA SHA256:abc"
MORE = f"PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={IP}  user=root"
MAX = f"error: maximum authentication attempts exceeded for root from {IP} port 5 ssh2 [preauth]"


@pytest.mark.parametrize(
    ("attempts", "messages"),
    [
        (1, [INVALID, "input_userauth_request: invalid user x [preauth]", FAILED_X]),
        (1, [INVALID, PAM, FAILED_X]),
        (3, [INVALID, PAM, FAILED_X, FAILED_X, FAILED_X, f"PAM 2 more authentication failures; tty=ssh ruser= rhost={IP} "]),
        (3, [f"{PAM} user=root", FAILED, FAILED, FAILED, MORE]),
        (1, [INVALID, f"Failed none for invalid user x from {IP} port 5 ssh2", FAILED_X]),
        (1, [f"Failed none for invalid user x from {IP} port 5 ssh2", FAILED_X]),
        (0, [f"Failed none for root from {IP} port 5 ssh2"]),
        (2, [INVALID, f"Invalid user y from {IP} port 5"]),  # another user: another guess
        (2, [INVALID, f"Failed password for invalid user y from {IP} port 5 ssh2"]),
        (2, [INVALID, "Failed password for invalid user x from 198.51.100.4 port 5 ssh2"]),  # another address
        (2, [INVALID, f"Failed password for invalid user x from {IP} port 6 ssh2"]),  # another connection
        (1, [f"{PAM} user=root", PAM_ERROR, FAILED_KEYBOARD]),
        (2, [f"{PAM} user=root", PAM_ERROR, FAILED_KEYBOARD, f"{PAM} user=root", PAM_ERROR, FAILED_KEYBOARD]),
        (2, [PAM_ERROR, PAM_ERROR]),
        (
            6,
            [
                FAILED,
                f"message repeated 5 times: [ {FAILED}]",
                MAX,
                MORE,
                f"Disconnected from authenticating user root {IP} port 5 [preauth]",
            ],
        ),
        (1, [MAX, f"Disconnecting authenticating user root {IP} port 5: Too many authentication failures [preauth]"]),
        (1, [INVALID, f"Connection closed by invalid user x {IP} port 5 [preauth]"]),
        (1, [FAILED, f"Connection closed by authenticating user root {IP} port 5 [preauth]"]),
        (
            1,
            [
                f"User root from {IP} not allowed because not listed in AllowUsers",
                f"Failed password for invalid user root from {IP} port 5 ssh2",
            ],
        ),
        (1, [f"ROOT LOGIN REFUSED FROM {IP} port 5", FAILED]),
        (1, [FAILED, f"Received disconnect from {IP} port 5:11: Bye Bye [preauth]", f"Disconnected from {IP} port 5 [preauth]"]),
        (1, [KEY, KEY, f"Accepted publickey for root from {IP} port 5 ssh2: RSA SHA256:c"]),
        (1, [KEY, KEY, f"Accepted password for root from {IP} port 5 ssh2", f"Connection closed by {IP} port 5"]),
        (1, [KEY, KEY, FAILED, f"Connection closed by authenticating user root {IP} port 5 [preauth]"]),
        (1, [KEY, KEY, KEY, MAX, f"Disconnecting authenticating user root {IP} port 5: Too many authentication failures [preauth]"]),
        (1, [INVALID, KEY_X, KEY_X]),
        (1, [KEY_X, KEY_X, KEY_X, f"Connection closed by invalid user x {IP} port 5 [preauth]"]),
        # a directory login: the first module fails, the second succeeds
        (1, [f"{PAM} user=bob", f"Accepted password for bob from {IP} port 5 ssh2"]),
        (3, [MORE]),  # sshd said nothing of this connection
        (3, [FAILED, MORE]),  # the syslog daemon folded or dropped equal lines
        (6, [FAILED, f"message repeated 5 times: [ {FAILED}]", MORE.replace("PAM 2", "PAM 5")]),
    ],
)
def test_each_attempt_is_counted_once(attempts: int, messages: list[str]) -> None:
    found = read(*messages)
    assert [event.kind for event in found] == ["auth.login"] * attempts
    assert len({event.id for event in found}) == attempts


@pytest.mark.parametrize(
    ("end", "actor"),
    [
        (f"Connection closed by authenticating user root {IP} port 5 [preauth]", "root"),
        (f"Disconnected from authenticating user root {IP} port 5 [preauth]", "root"),
        # older: no name in the last line
        (f"Connection closed by {IP} [preauth]", None),
        (f"Connection closed by {IP} port 5 [preauth]", None),
        (f"Received disconnect from {IP}: 11: Bye Bye [preauth]", None),
    ],
)
def test_refused_keys_are_one_failure_when_the_connection_got_no_further(end: str, actor: str | None) -> None:
    assert logins(KEY, KEY) == []
    assert [said[:4] for said in logins(KEY, KEY, end)] == [("failure", actor, IP, "bad_key")]


def test_refused_key_counts_at_once_where_nothing_joins_it_to_its_connection() -> None:
    alone = "Failed publickey for root from 192.0.2.1"
    assert logins(alone, alone, pid="") == [("failure", "root", IP, "bad_key", "publickey")] * 2


def test_without_process_id_the_port_joins_the_lines() -> None:
    assert logins(KEY, KEY, f"Accepted password for root from {IP} port 5 ssh2", pid="") == [("success", "root", IP, None, "password")]
    assert len(logins(INVALID, FAILED_X, pid="")) == 1
    assert len(logins(f"Invalid user x from {IP}", FAILED_X, pid="")) == 2


def test_process_id_seen_again_later_is_another_connection() -> None:
    reader = parser()
    closed = f"Connection closed by authenticating user root {IP} port 5 [preauth]"
    assert len(reader.parse(line(FAILED, second=0))) == 1
    assert len(reader.parse(line(closed, second=60))) == 0
    assert len(reader.parse(line(closed, second=60 + 1200))) == 1


def test_attempts_are_joined_across_files_and_restarts() -> None:
    memory = Memory()
    assert len(parser(memory).parse(line(INVALID))) == 1
    restored = copied(memory)
    assert parser(memory).parse(line(FAILED_X)) == ()
    assert parser(restored).parse(line(FAILED_X)) == ()
    assert all(0 < n < 2**63 for _, n in memory.sessions.changed(everything=True)[0].values())


def test_log_with_nothing_but_pam_is_seen_after_a_few_lines() -> None:
    reader = parser()
    found = [reader.parse(line(f"{PAM} user=root", pid=str(pid), second=pid)) for pid in range(1, 8)]
    assert [len(each) for each in found] == [0, 0, 0, 1, 1, 1, 1]
    assert (found[3][0].actor, found[3][0].ip, found[3][0].reason) == ("root", IP, "bad_password")


OLD_PAM = f"authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost={IP} "


def old_pam(pid: int, text: str = OLD_PAM) -> bytes:
    return f"Mar  7 13:06:56 web-1 sshd(pam_unix)[{pid}]: {text}".encode()


def test_old_pam_that_writes_to_a_file_of_its_own_counts_from_the_first_line_on() -> None:
    reader = parser()
    found = [[(e.actor, e.ip, e.reason) for e in reader.parse(old_pam(pid))] for pid in range(1, 4)]
    assert found == [[(None, IP, "unknown_user")]] * 3


def test_old_pam_beside_sshd_is_held_back() -> None:
    reader = parser()
    assert len(reader.parse(line(FAILED, pid="1"))) == 1
    assert [len(reader.parse(old_pam(pid))) for pid in range(2, 7)] == [0, 0, 0, 1, 1]


def test_older_pam_that_names_itself_in_the_message_is_read() -> None:
    text = f"(pam_unix) authentication failure; logname= uid=0 euid=0 tty=ftp ruser=bob rhost={IP} "
    assert local("proftpd", text) == [("auth.login", "failure", "pam", "bob", "host:web-1", "unknown_user")]
    assert local("sshd[1]", text) == []  # held back like today's: sshd's own verdict follows


@pytest.mark.parametrize(
    ("fields", "actor"),
    [
        (f"ruser=bob rhost={IP}", "bob"),
        (f"ruser=bob rhost={IP}  user=bob", "bob"),
        (f"ruser=a rhost=198.51.100.4 rhost={IP}", "a rhost=198.51.100.4"),
        (f"ruser=a rhost=198.51.100.4  user=b rhost={IP}", "a rhost=198.51.100.4  user=b"),
        (f"ruser= rhost={IP}  user=a rhost=198.51.100.4", "a rhost=198.51.100.4"),
        (f"ruser= rhost=198.51.100.4 rhost={IP}", None),
    ],
)
def test_name_typed_at_another_service_cannot_choose_the_address(fields: str, actor: str | None) -> None:
    text = f"Mar  7 13:06:56 web-1 vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp {fields}"
    [event] = parser().parse(text.encode())
    assert (event.actor, event.ip) == (actor, IP)


def test_pam_failure_of_another_service_counts_when_it_came_from_outside() -> None:
    outside = f"pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost={IP}  user=bob"
    assert local("auth", outside) == [("auth.login", "failure", "pam", "bob", "host:web-1", "bad_password")]
    assert local("gdm", "pam_unix(gdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=bob") == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            f"Unable to negotiate with {IP} port 45626: no matching key exchange method found. Their offer: a [preauth] ",
            "probe_key_exchange",
        ),
        (f"fatal: Unable to negotiate with {IP}: no matching cipher found. Their offer: a [preauth]", "probe_key_exchange"),
        (f"fatal: no matching cipher found: client a server b from {IP}", "probe_key_exchange"),
        (f"ssh_dispatch_run_fatal: Connection from {IP} port 5: message authentication code incorrect [preauth]", "probe_key_exchange"),
        (f"Bad protocol version identification '' from {IP} port 5", "probe_protocol"),
        (f"banner exchange: Connection from {IP} port 5: invalid format", "probe_protocol"),
        (f"Did not receive identification string from {IP}", "probe"),
        (f"Did not receive identification string from {IP} port 5", "probe"),
        (f"Connection closed by {IP} port 5 [preauth]", "probe"),
        (f"Connection reset by {IP} port 5 [preauth]", "probe"),
        (f"Connection closed by {IP} [preauth]", "probe"),
        (f"Disconnected from {IP} port 5 [preauth]", "probe"),
        (f"Received disconnect from {IP}: 11: Bye Bye [preauth]", "probe"),
        (f"error: Received disconnect from {IP}: 14: No supported authentication methods available", "probe"),
        (f"Received disconnect from {IP}: 3: com.jcraft.jsch.JSchException: Auth fail", "probe"),
        (f"fatal: Timeout before authentication for {IP} port 5", "probe"),
        (f"refused connect from example.com ({IP})", "refused"),
        (f"refused connect from {IP}", "refused"),
        (f"drop connection #10 from [{IP}]:5 on [192.0.2.9]:22 past MaxStartups", "refused"),
    ],
)
def test_probe_is_a_failed_session_without_actor(message: str, reason: str) -> None:
    [event] = read(message)
    assert (event.kind, event.outcome, event.actor, event.ip, event.reason, event.target) == (
        *("auth.session", "failure", None, IP, reason),
        "host:web-1",
    )


def test_probe_is_counted_once() -> None:
    bye = [f"Received disconnect from {IP} port 5:11: Bye Bye [preauth]", f"Disconnected from {IP} port 5 [preauth]"]
    assert len(read(*bye)) == 1
    exchange = ["error: kex_exchange_identification: Connection closed by remote host", f"Connection closed by {IP} port 5"]
    assert [event.reason for event in read(*exchange)] == ["probe"]


@pytest.mark.parametrize(
    "message",
    [
        "Server listening on 0.0.0.0 port 22.",
        f"Connection from {IP} port 5 on 192.0.2.9 port 22",
        f"Connection closed by {IP} port 5",
        f"Disconnected from user bob {IP} port 5",
        f"Received disconnect from {IP} port 5:11: disconnected by user",
        "Disconnecting: Too many authentication failures [preauth]",
        "kex_exchange_identification: read: Connection reset by peer",
        f"reverse mapping checking getaddrinfo for host.example.com [{IP}] failed - POSSIBLE BREAK-IN ATTEMPT!",
        "Did not receive identification string from UNKNOWN port 65535",
        f"Postponed keyboard-interactive for invalid user x from {IP} port 5 ssh2 [preauth]",
        "Certificate invalid: expired",
        "error: error: error: hello",
        "message repeated 2 times: [ message repeated 3 times: [ Failed password for x from 192.0.2.1 port 1 ssh2]]",
        "Failed password",
        "Accepted",
        "",
    ],
)
def test_line_that_says_nothing_gives_no_event(message: str) -> None:
    assert read(message) == []


def test_repeats_are_capped() -> None:
    assert len(read(f"message repeated 999999 times: [ {FAILED}]")) == 1000


def test_sessions_of_users_open_and_close() -> None:
    found = read(
        "pam_unix(sshd:session): session opened for user bob by (uid=0)",
        "pam_unix(sshd:session): session opened for user bob(uid=1000) by (uid=0)",
        "pam_unix(sshd:session): session closed for user bob",
    )
    assert [(e.kind, e.outcome, e.actor, e.ip) for e in found] == [
        ("auth.session", "success", "bob", None),
        ("auth.session", "success", "bob", None),
        ("auth.logout", "success", "bob", None),
    ]


def test_empty_line_is_no_reject() -> None:
    assert [parser().parse(each) for each in (b"", b"\n", b"\r\n", b"  \n")] == [(), (), (), ()]


@pytest.mark.parametrize(
    ("record", "reason"), [(b"hello\n", "unknown_shape"), (b"\xff\xfe\n", "unknown_shape"), (b"a" * 70_000, "too_long")]
)
def test_line_without_header_is_rejected(record: bytes, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(record)
    assert caught.value.reason == reason


def test_user_names_in_another_encoding_are_seen() -> None:
    [event] = parser().parse(b"Mar  7 13:06:56 h sshd[1]: Invalid user m\xfcller from 192.0.2.1 port 5\n")
    assert (event.actor, event.ip) == ("m\ufffdller", IP)


def test_equal_lines_get_different_ids_that_do_not_depend_on_the_run() -> None:
    reader, again = parser(), parser()
    record = line(FAILED)
    ids = [reader.parse(record)[0].id for _ in range(3)]
    assert ids == [again.parse(record.rstrip() + b"\r\n")[0].id for _ in range(3)]
    assert ids == [ids[0], f"{ids[0]}-1", f"{ids[0]}-2"]
    repeated = reader.parse(line(f"message repeated 2 times: [ {FAILED}]"))
    assert [event.id.partition("-")[2] for event in repeated] == ["0", "1"]


def test_tenant_comes_from_the_input() -> None:
    reader = parser(tenant="acme")
    records = [
        line(FAILED),
        line(f"Connection closed by {IP} port 9 [preauth]", pid="7"),
        b"Mar  7 13:06:56 h su[1]: FAILED su for root by bob",
    ]
    assert [event.tenant for record in records for event in reader.parse(record)] == ["acme"] * 3


@pytest.mark.parametrize(
    "record",
    [
        b"<38>Mar  7 13:06:56 web-1 sshd-session[1]: Invalid user x from 192.0.2.1 port 5",
        b'<38>1 2024-03-07T13:06:56+00:00 web-1 sshd-auth 1 - [meta sequenceId="1"] Invalid user x from 192.0.2.1 port 5',
        b"2024-03-07T15:06:56.000000+02:00 web-1 sshd[1]: Invalid user x from 192.0.2.1 port 5",
        b"Mar  7 13:06:56 web-1 sshd[1]: [ID 800047 auth.info] Invalid user x from 192.0.2.1 port 5",
    ],
)
def test_every_header_leads_to_the_same_event(record: bytes) -> None:
    [event] = parser().parse(record)
    assert (event.kind, event.ts, event.actor, event.ip, event.target) == ("auth.login", 1_709_816_816.0, "x", IP, "host:web-1")
