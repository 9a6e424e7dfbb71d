"""What the other programs of an auth.log say: sudo and su, and changes of accounts, groups and passwords.

Of a command only the program is kept: its arguments hold secrets.
"""

import re
from collections.abc import Callable

from schemas.event import Event
from schemas.formats.base import Memory

Handler = Callable[[float, str, str, str], tuple[Event, ...]]
"""Unix seconds, host, program, message → events."""

_NEW_USER = re.compile(r"new user: name=([^,]+)")
_NEW_GROUP = re.compile(r"new group: name=([^,]+)")
_FAILED_USER = re.compile(r"failed adding user '([^']*)'")
_DELETED_USER = re.compile(r"delete user '([^']*)'")
_ADDED_TO_GROUP = re.compile(r"add '([^']*)' to group '([^']*)'")
_GPASSWD_ADDED = re.compile(r"user (\S+) added by (\S+) to group (\S+)")
_CHANGED_USER = re.compile(r"(change|lock|unlock) user '([^']*)' (password|name|UID|shell|home|expiration)?")
_PASSWORD_CHANGED = re.compile(r"(?:pam_\w+\(\w+:chauthtok\): )?password(?: for '| changed for )([^\s']+)")
_SU = re.compile(r"(Successful su|FAILED su) for (\S+) by (\S+)")
_SU_FAILED = re.compile(r"FAILED SU \(to (\S+)\) (\S+) on ")
_POWERFUL_GROUPS = frozenset({"root", "wheel", "sudo", "admin", "adm", "docker", "lxd", "libvirt", "disk", "shadow"})
"""Groups whose members can become root or read every secret of the host."""
_SUDO_WRONG = re.compile(r"\d+ incorrect password attempt")
_SUDO_RAN = re.compile(r"[A-Z]+=")
_SUDO_FORBIDDEN = ("user NOT in sudoers", "user NOT authorized", "command not allowed")
_SAME_ATTEMPT_S = 600
"""sudo asks for the password three times, five minutes each at most, before it sums up."""
_RUSER = re.compile(r"\bruser=(\S+)")
_USER = re.compile(r"\buser=(\S+)\s*$")


def _joining(group: str) -> str:
    return "role.grant" if group in _POWERFUL_GROUPS else "group.join"


class LocalLines:
    """Turns the messages of sudo, su, useradd, usermod, userdel, groupadd, gpasswd, passwd and chpasswd into events without id."""

    def __init__(self, memory: Memory, tenant: str | None) -> None:
        self._sessions = memory.sessions
        self._tenant = tenant
        accounts = self._account
        self.by_program: dict[str, Handler] = {
            "sudo": self._sudo,
            "su": self._su,
            **dict.fromkeys(("useradd", "adduser", "usermod", "userdel", "groupadd", "gpasswd", "passwd", "chpasswd"), accounts),
        }
        """Program → (Unix seconds, host, program, message) → events."""

    def _event(
        self, kind: str, ts: float, action: str, target: str | None, actor: str | None = None, reason: str | None = None
    ) -> tuple[Event, ...]:
        """One event; it is a failure when there is a reason."""
        outcome = "failure" if reason else "success"
        actor_type = "user" if actor else None
        return (
            Event(
                kind,
                ts,
                outcome=outcome,
                tenant=self._tenant,
                actor=actor,
                actor_type=actor_type,
                reason=reason,
                target=target,
                action=action,
            ),
        )

    def _sudo(self, ts: float, host: str, _program: str, message: str) -> tuple[Event, ...]:
        message = message.lstrip()
        if message[:4] == "pam_":
            if ":auth): authentication failure; " not in message:
                return ()
            who = _RUSER.search(message) or _USER.search(message)
            user = who[1] if who else ""
            self._sessions.put(f"{host}/sudo/{user}", int(ts))
            return self._event("admin.action", ts, "sudo", None, user or None, "bad_password")
        user, sep, rest = message.partition(" : ")
        if not sep:
            return ()
        head, found, command = rest.partition("COMMAND=")
        target = f"command:{command.split(maxsplit=1)[0]}" if found and command.strip() else None
        if _SUDO_RAN.match(head or rest):
            return self._event("admin.action", ts, "sudo", target, user)
        if rest.startswith(_SUDO_FORBIDDEN):
            return self._event("authz.decision", ts, "sudo", target, user, "forbidden")
        if _SUDO_WRONG.match(rest):
            # PAM has told of the first wrong password when it was given; this line sums up.
            told_ts = self._sessions.get(f"{host}/sudo/{user}")
            if told_ts and abs(ts - told_ts) <= _SAME_ATTEMPT_S:
                self._sessions.put(f"{host}/sudo/{user}", 0)
                return ()
            return self._event("admin.action", ts, "sudo", target, user, "bad_password")
        return ()

    def _su(self, ts: float, _host: str, _program: str, message: str) -> tuple[Event, ...]:
        found = _SU.match(message)
        if found is not None:
            reason = None if found[1] == "Successful su" else "bad_password"
            return self._event("admin.action", ts, "su", f"user:{found[2]}", found[3], reason)
        found = _SU_FAILED.match(message)
        if found is not None:
            return self._event("admin.action", ts, "su", f"user:{found[1]}", found[2], "bad_password")
        return ()

    def _account(self, ts: float, _host: str, program: str, message: str) -> tuple[Event, ...]:
        if (found := _NEW_USER.match(message)) is not None:
            return self._event("account.change", ts, "user.create", f"user:{found[1]}")
        if (found := _FAILED_USER.match(message)) is not None:
            return self._event("account.change", ts, "user.create", f"user:{found[1]}", None, "failed")
        if (found := _DELETED_USER.match(message)) is not None:
            return self._event("account.change", ts, "user.delete", f"user:{found[1]}")
        if (found := _NEW_GROUP.match(message)) is not None:
            return self._event("account.change", ts, "group.create", f"group:{found[1]}")
        if (found := _ADDED_TO_GROUP.match(message)) is not None:
            return self._event("account.change", ts, _joining(found[2]), f"user:{found[1]}")
        if (found := _GPASSWD_ADDED.match(message)) is not None:
            return self._event("account.change", ts, _joining(found[3]), f"user:{found[1]}", found[2])
        if (found := _PASSWORD_CHANGED.match(message)) is not None:
            # passwd is run by its user, or by root for someone; the line does not tell. chpasswd is an administrator's.
            return self._event("auth.password_change", ts, "password.change", f"user:{found[1]}", found[1] if program == "passwd" else None)
        if (found := _CHANGED_USER.match(message)) is not None:
            if found[3] == "password" and found[1] == "change":
                return self._event("auth.password_change", ts, "password.change", f"user:{found[2]}")
            return self._event("account.change", ts, f"user.{found[1]}", f"user:{found[2]}")
        return ()
