import pytest

from schemas.formats.base import Context, Memory
from schemas.formats.sshd import FORMAT, SshdParser


def parser() -> SshdParser:
    return FORMAT.parser(Context(memory=Memory(), year=2024))


def local(program: str, message: str) -> list[tuple[str, str | None, str | None, str | None, str | None, str | None]]:
    events = parser().parse(f"Mar  7 13:06:56 web-1 {program}: {message}".encode())
    return [(e.kind, e.outcome, e.action, e.actor, e.target, e.reason) for e in events]


SUDO_PAM = "pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob"


@pytest.mark.parametrize(
    ("program", "message", "expected"),
    [
        (
            "sudo",
            "  bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/mysql --password=hunter2",
            ("admin.action", "success", "sudo", "bob", "command:/usr/bin/mysql", None),
        ),
        ("sudo[12]", "bob : PWD=/ ; USER=root ; COMMAND=list", ("admin.action", "success", "sudo", "bob", "command:list", None)),
        (
            "sudo",
            "bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c x",
            ("admin.action", "failure", "sudo", "bob", "command:/bin/sh", "bad_password"),
        ),
        ("sudo", SUDO_PAM, ("admin.action", "failure", "sudo", "bob", None, "bad_password")),
        (
            "sudo",
            "bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            ("authz.decision", "failure", "sudo", "bob", "command:/bin/sh", "forbidden"),
        ),
        ("su[1]", "Successful su for root by bob", ("admin.action", "success", "su", "bob", "user:root", None)),
        ("su[1]", "FAILED SU (to root) bob on pts/0", ("admin.action", "failure", "su", "bob", "user:root", "bad_password")),
        ("su[1]", "FAILED su for root by bob", ("admin.action", "failure", "su", "bob", "user:root", "bad_password")),
        ("useradd[1]", "new user: name=eve, UID=1001, GID=1001", ("account.change", "success", "user.create", None, "user:eve", None)),
        ("useradd[1]", "failed adding user 'eve', data deleted", ("account.change", "failure", "user.create", None, "user:eve", "failed")),
        ("useradd[1]", "new group: name=eve, GID=1001", ("account.change", "success", "group.create", None, "group:eve", None)),
        ("userdel[1]", "delete user 'eve'", ("account.change", "success", "user.delete", None, "user:eve", None)),
        ("usermod[1]", "add 'eve' to group 'sudo'", ("account.change", "success", "role.grant", None, "user:eve", None)),
        ("usermod[1]", "add 'eve' to group 'audio'", ("account.change", "success", "group.join", None, "user:eve", None)),
        ("gpasswd[1]", "user eve added by root to group wheel", ("account.change", "success", "role.grant", "root", "user:eve", None)),
        ("usermod[1]", "change user 'eve' password", ("auth.password_change", "success", "password.change", None, "user:eve", None)),
        ("usermod[1]", "change user 'eve' shell from 'a' to 'b'", ("account.change", "success", "user.change", None, "user:eve", None)),
        (
            "passwd[1]",
            "pam_unix(passwd:chauthtok): password changed for eve",
            ("auth.password_change", "success", "password.change", "eve", "user:eve", None),
        ),
        (
            "chpasswd[1]",
            "pam_unix(chpasswd:chauthtok): password changed for eve",
            ("auth.password_change", "success", "password.change", None, "user:eve", None),
        ),
    ],
)
def test_other_programs_are_read(program: str, message: str, expected: tuple[str | None, ...]) -> None:
    assert local(program, message) == [expected]


def test_command_arguments_are_never_kept() -> None:
    [event] = parser().parse(b"Mar  7 13:06:56 h sudo: bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x --token=hunter2")
    assert "hunter2" not in repr(event)


def test_wrong_sudo_password_is_told_once() -> None:
    reader = parser()
    texts = [SUDO_PAM, "bob : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"]
    assert [len(reader.parse(f"Mar  7 13:06:56 h sudo: {text}".encode())) for text in texts * 2] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("CRON[1]", "pam_unix(cron:session): session opened for user root by (uid=0)"),
        ("systemd-logind[1]", "New session 1 of user bob."),
        ("systemd", "pam_unix(systemd-user:session): session opened for user bob by (uid=0)"),
        ("sudo", "pam_unix(sudo:session): session opened for user root by bob(uid=0)"),
        ("sudo", "bob : a password is required ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"),
        ("su[1]", "+ /dev/pts/0 bob:root"),
        ("nginx[2869]", '192.0.2.1 - - [07/Mar/2024:13:06:56 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'),
    ],
)
def test_irrelevant_line_is_neither_event_nor_reject(program: str, message: str) -> None:
    assert local(program, message) == []
