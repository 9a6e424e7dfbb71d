"""What the lines of an auth.log mean, as the documentation lists it. Every row is held to the parser by an example in its test."""

Row = tuple[str, str, str]

RULES: tuple[Row, ...] = (
    # line (… stands for what varies), kind, note
    ("sshd: Accepted … for …", "auth.login", "success"),
    ("sshd: Failed password for …", "auth.login", "`bad_password`; also keyboard-interactive and challenge-response"),
    (
        "sshd: Failed publickey for …",
        "auth.login",
        "`bad_key`, once, when the connection then ends without a log-in or a wrong password; also the other methods without a password",
    ),
    ("sshd: Failed … for invalid user …", "auth.login", "`unknown_user`, once with the lines below about the same attempt"),
    ("sshd: Invalid user … from …", "auth.login", "`unknown_user`; `Illegal user` on old systems"),
    ("sshd: User … not allowed because …", "auth.login", "`not_allowed`; also `ROOT LOGIN REFUSED`"),
    ("sshd: maximum authentication attempts exceeded for …", "auth.login", "`max_attempts`, where the single failures are not logged"),
    ("sshd: error: PAM: … for … from …", "auth.login", "`bad_password`, `unknown_user` or `not_allowed`, as PAM says"),
    ("sshd: PAM … more authentication failures", "auth.login", "as many failures as the log lacks of this connection"),
    ("sshd: message repeated … times: [ Failed … ]", "auth.login", "as many failures, at most 1,000"),
    (
        "sshd: Connection closed by authenticating user …",
        "auth.login",
        "`aborted`, where no failure was told; `reset`, `Disconnected` alike",
    ),
    ("sshd: Disconnecting authenticating user …: Too many …", "auth.login", "`max_attempts`, where no failure was told"),
    ("pam_unix(…:auth): authentication failure; … rhost=…", "auth.login", "of other services; of sshd only where sshd itself is silent"),
    ("pam_unix(sshd:session): session opened", "auth.session", "success"),
    ("sshd: Connection closed by … [preauth]", "auth.session", "`probe`: nobody tried to log in; also time-outs and no identification"),
    ("sshd: Unable to negotiate with …", "auth.session", "`probe_key_exchange`; also a fatal error of the exchange"),
    ("sshd: banner exchange: Connection from …", "auth.session", "`probe_protocol`; also `Bad protocol version identification`"),
    ("sshd: refused connect from …", "auth.session", "`refused`; also `drop connection`"),
    ("pam_unix(sshd:session): session closed", "auth.logout", ""),
    ("passwd, chpasswd: password changed for …", "auth.password_change", "also `usermod: change user … password`"),
    ("useradd: new user: name=…", "account.change", "`user.create`; a failure for `failed adding user`"),
    ("userdel: delete user …", "account.change", "`user.delete`"),
    ("groupadd: new group: name=…", "account.change", "`group.create`"),
    ("usermod: add … to group …", "account.change", "`role.grant` for a group that can become root, else `group.join`"),
    ("gpasswd: user … added by … to group …", "account.change", "the same"),
    ("usermod: change, lock or unlock user …", "account.change", "`user.change`, `user.lock`, `user.unlock`"),
    ("sudo: … : … COMMAND=…", "admin.action", "only the program of the command is kept"),
    ("sudo: … : … incorrect password attempts", "admin.action", "`bad_password`, once with PAM's line about it"),
    ("pam_unix(sudo:auth): authentication failure", "admin.action", "`bad_password`"),
    ("su: Successful su for … by …", "admin.action", ""),
    ("su: FAILED su for … by …", "admin.action", "`bad_password`; also `FAILED SU (to …)`"),
    ("sudo: … : user NOT in sudoers", "authz.decision", "`forbidden`; also `command not allowed`"),
)
"""Line, kind, note."""

IGNORED: tuple[Row, ...] = (
    ("lines of other programs", "", "unless PAM says in them that a log-in failed"),
    ("sshd: Server listening on …", "", "and every other line of sshd that is not listed"),
    ("a further line about an attempt already told", "", "one attempt is one event"),
    ("sshd: Failed none for …", "", "a client's question which methods there are"),
    ("pam_unix(…:auth): authentication failure; without rhost", "", "a console or a screen lock"),
    ("blank lines", "", ""),
)
"""What is read and gives no event."""
