"""What the pages of the formats claim is what the parsers do: each row kept by hand is fed through its parser."""

import orjson
import pytest

from schemas.event import KINDS, Event
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory
from schemas.formats.cloudtrail_kinds import RULES as CALLS

IP = "192.0.2.1"
FROM = f"from {IP} port 22"
PAM = f"authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={IP}  user=bob"

SSHD: dict[str, tuple[str, ...]] = {
    "sshd: Accepted … for …": (f"sshd[1]: Accepted password for bob {FROM} ssh2",),
    "sshd: Failed password for …": (f"sshd[1]: Failed password for bob {FROM} ssh2",),
    "sshd: Failed publickey for …": (
        f"sshd[1]: Failed publickey for bob {FROM} ssh2: RSA SHA256:abc",
        f"sshd[1]: Connection closed by authenticating user bob {FROM.removeprefix('from ')} [preauth]",
    ),
    "sshd: Failed … for invalid user …": (f"sshd[1]: Failed password for invalid user x {FROM} ssh2",),
    "sshd: Invalid user … from …": (f"sshd[1]: Invalid user x {FROM}",),
    "sshd: User … not allowed because …": (f"sshd[1]: User bob from {IP} not allowed because not listed in AllowUsers",),
    "sshd: maximum authentication attempts exceeded for …": (
        f"sshd[1]: error: maximum authentication attempts exceeded for bob {FROM} ssh2 [preauth]",
    ),
    "sshd: error: PAM: … for … from …": (f"sshd[1]: error: PAM: Authentication failure for bob from {IP}",),
    "sshd: PAM … more authentication failures": (f"sshd[1]: PAM 2 more authentication failures; logname= uid=0 rhost={IP}  user=bob",),
    "sshd: message repeated … times: [ Failed … ]": (f"sshd[1]: message repeated 2 times: [ Failed password for bob {FROM} ssh2]",),
    "sshd: Connection closed by authenticating user …": (f"sshd[1]: Connection closed by authenticating user bob {IP} port 22 [preauth]",),
    "sshd: Disconnecting authenticating user …: Too many …": (
        f"sshd[1]: Disconnecting authenticating user bob {IP} port 22: Too many authentication failures [preauth]",
    ),
    "pam_unix(…:auth): authentication failure; … rhost=…": (f"vsftpd[1]: pam_unix(vsftpd:auth): {PAM}",),
    "pam_unix(sshd:session): session opened": ("sshd[1]: pam_unix(sshd:session): session opened for user bob by (uid=0)",),
    "sshd: Connection closed by … [preauth]": (f"sshd[1]: Connection closed by {IP} port 22 [preauth]",),
    "sshd: Unable to negotiate with …": (f"sshd[1]: Unable to negotiate with {IP} port 22: no matching cipher found. [preauth]",),
    "sshd: banner exchange: Connection from …": (f"sshd[1]: banner exchange: Connection {FROM}: invalid format",),
    "sshd: refused connect from …": (f"sshd[1]: refused connect from {IP} ({IP})",),
    "pam_unix(sshd:session): session closed": ("sshd[1]: pam_unix(sshd:session): session closed for user bob",),
    "passwd, chpasswd: password changed for …": ("passwd[1]: pam_unix(passwd:chauthtok): password changed for bob",),
    "useradd: new user: name=…": ("useradd[1]: new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash",),
    "userdel: delete user …": ("userdel[1]: delete user 'bob'",),
    "groupadd: new group: name=…": ("groupadd[1]: new group: name=staff, GID=1001",),
    "usermod: add … to group …": ("usermod[1]: add 'bob' to group 'sudo'",),
    "gpasswd: user … added by … to group …": ("gpasswd[1]: user bob added by root to group docker",),
    "usermod: change, lock or unlock user …": ("usermod[1]: lock user 'bob' password",),
    "sudo: … : … COMMAND=…": ("sudo:   bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",),
    "sudo: … : … incorrect password attempts": (
        "sudo:   bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",
    ),
    "pam_unix(sudo:auth): authentication failure": (
        "sudo: pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob",
    ),
    "su: Successful su for … by …": ("su[1]: Successful su for root by bob",),
    "su: FAILED su for … by …": ("su[1]: FAILED su for root by bob",),
    "sudo: … : user NOT in sudoers": (
        "sudo:   bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",
    ),
}  # fmt: skip
SSHD_IGNORED: dict[str, tuple[str, ...]] = {
    "lines of other programs": ("CRON[1]: (root) CMD (true)",),
    "sshd: Server listening on …": ("sshd[1]: Server listening on 0.0.0.0 port 22.",),
    "a further line about an attempt already told": (
        f"sshd[1]: Invalid user x {FROM}",
        f"sshd[1]: Failed password for invalid user x {FROM} ssh2",
    ),
    "sshd: Failed none for …": (f"sshd[1]: Failed none for bob {FROM} ssh2",),
    "pam_unix(…:auth): authentication failure; without rhost": (
        "login[1]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=tty1 ruser= rhost=  user=bob",
    ),
    "blank lines": (),
}


def web(request: str, status: int, user: str = "-") -> tuple[str, ...]:
    return (f'{IP} - {user} [01/Mar/2026:08:00:00 +0000] "{request} HTTP/1.1" {status} 10 "-" "curl/8.5.0"',)


WEB: dict[str, tuple[str, ...]] = {
    "POST …/wp-login.php, 200": web("POST /blog/wp-login.php", 200),
    "POST …/wp-login.php, 302": web("POST /wp-login.php", 302),
    "POST …/wp-login.php, 401, 403, 422 or 429": web("POST /wp-login.php", 403),
    "POST …/login, 401, 403, 422 or 429": web("POST /login", 422),
    "POST …/oauth/token, 400, 401, 403, 422 or 429": web("POST /oauth/token", 400),
    "401 with a user name": web("GET /", 401, "bob"),
    "error log: password mismatch": (
        f'2026/03/01 08:00:00 [error] 7#7: *1 user "bob": password mismatch, client: {IP}, server: example.com, request: "GET / HTTP/1.1"',
    ),
    "error log: user … not found": (
        f"[Sun Mar 01 08:00:00.000001 2026] [auth_basic:error] [pid 7] [client {IP}:5000] AH01618: user bob not found: /",
    ),
    "POST …/wp-login.php?action=lostpassword, 302": web("POST /wp-login.php?action=lostpassword", 302),
    "401 without a user name": web("GET /", 401),
    "403": web("GET /admin", 403),
    "any other request": web("POST /login", 302),
}
WEB_IGNORED: dict[str, tuple[str, ...]] = {
    "other lines of an error log": ("2026/03/01 08:00:00 [notice] 7#7: signal process started",),
    "blank lines": (),
}

EXAMPLES = {"sshd": (SSHD, SSHD_IGNORED), "web_access": (WEB, WEB_IGNORED)}
HEADER = {"sshd": "Mar  1 08:00:00 web1 ", "web_access": ""}


def last(name: str, lines: tuple[str, ...]) -> list[Event]:
    """The events of the last of these lines."""
    parser = FORMATS[name].parser(Context(Memory(), year=2026))
    found: list[Event] = []
    for line in lines or ("",):
        found = list(parser.parse(f"{HEADER[name]}{line}".encode() if line else b" "))
    return found


def test_every_row_kept_by_hand_has_an_example_and_no_example_is_of_no_row() -> None:
    for name, (rules, ignored) in EXAMPLES.items():
        assert [event for event, _, _ in FORMATS[name].rules] == list(rules)
        assert [event for event, _, _ in FORMATS[name].ignored] == list(ignored)


@pytest.mark.parametrize(
    ("name", "row"),
    [(name, row) for name in EXAMPLES for row in FORMATS[name].rules],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_a_line_becomes_the_kind_its_row_says(name: str, row: tuple[str, str, str]) -> None:
    events = last(name, EXAMPLES[name][0][row[0]])
    assert events
    assert {event.kind for event in events} == {row[1]}


@pytest.mark.parametrize(
    ("name", "row"),
    [(name, row) for name in EXAMPLES for row in FORMATS[name].ignored],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_an_ignored_line_gives_no_event(name: str, row: tuple[str, str, str]) -> None:
    assert last(name, EXAMPLES[name][1][row[0]]) == []


def test_the_reason_a_note_begins_with_is_the_reason_of_the_example() -> None:
    for name, (rules, _) in EXAMPLES.items():
        for event, kind, note in FORMATS[name].rules:
            word = note.split("`")[1] if note.startswith("`") else ""
            if word and "." not in word:
                assert {found.reason for found in last(name, rules[event])} == {word}, (event, kind)


def test_the_native_kinds_are_all_there_and_decode_to_themselves() -> None:
    rules = FORMATS["native"].rules
    assert {kind for _, kind, _ in rules} == KINDS
    for event, kind, _ in rules:
        (found,) = (
            FORMATS["native"].parser(Context(Memory())).parse(orjson.dumps({"time": 1_772_352_000, "kind": event.removeprefix("kind: ")}))
        )
        assert found.kind == kind


def test_every_cloudtrail_call_with_a_rule_is_listed_and_those_with_a_condition_say_it() -> None:
    listed = {event: (kind, note) for event, kind, note in FORMATS["cloudtrail"].rules}
    for call, rule in CALLS.items():
        assert listed[call] == (rule.kind, rule.note)
        assert bool(rule.note) == (rule.when is not None), call
