"""What a web request means, as the documentation lists it. Every row is held to the parser by an example in its test."""

Row = tuple[str, str, str]

RULES: tuple[Row, ...] = (
    # request and answer, kind, note
    ("POST …/wp-login.php, 200", "auth.login", "failure: WordPress shows the form again"),
    ("POST …/wp-login.php, 302", "auth.login", "success"),
    ("POST …/wp-login.php, 401, 403, 422 or 429", "auth.login", "failure: another program refused it before WordPress"),
    (
        "POST …/login, 401, 403, 422 or 429",
        "auth.login",
        "failure; also `signin`, `authenticate`, `session` and the like as last part of the path",
    ),
    ("POST …/oauth/token, 400, 401, 403, 422 or 429", "auth.login", "failure; also `/auth/token` and `/oauth2/v1/token`"),
    ("401 with a user name", "auth.login", "failure of basic authentication"),
    ("error log: password mismatch", "auth.login", "`bad_password`, of nginx and Apache"),
    ("error log: user … not found", "auth.login", "`unknown_user`, of nginx and Apache"),
    ("POST …/wp-login.php?action=lostpassword, 302", "auth.password_reset", "success; with 200 a failure"),
    ("401 without a user name", "authz.decision", "`unauthenticated`"),
    ("403", "authz.decision", "`forbidden`"),
    ("any other request", "api.request", "also a success at a login path: many sites answer wrong passwords so"),
)
"""Request, kind, note."""

IGNORED: tuple[Row, ...] = (
    ("other lines of an error log", "", ""),
    ("blank lines", "", ""),
)
"""What is read and gives no event."""
