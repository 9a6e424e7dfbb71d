"""Web access lines: shapes, broken requests, and which of them is a log-in."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import REJECT_REASONS, RejectError
from schemas.event import Event
from schemas.formats.base import Context, Memory
from schemas.formats.web_access import FORMAT, WebAccessParser

STAMP = "[30/Sep/2021:09:58:05 +0200]"
TS = 1632988685.0  # 2021-09-30T07:58:05Z


def parser(tenant: str | None = None) -> WebAccessParser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def one(line: str | bytes) -> Event:
    (event,) = parser().parse(line.encode() if isinstance(line, str) else line)
    return event


def combined(request: str, status: int | str, user: str = "-", extras: str = "") -> str:
    return f'192.0.2.1 - {user} {STAMP} "{request}" {status} 162 "-" "curl/7.68.0"{extras}'


def test_a_combined_line_becomes_a_request() -> None:
    event = parser("acme").parse(combined("GET /a/b?x=1&y=2 HTTP/1.1", 200, "alice").encode())[0]
    assert event == Event(
        "api.request",
        TS,
        event.id,
        "success",
        "acme",
        actor="alice",
        actor_type="user",
        ip="192.0.2.1",
        user_agent="curl/7.68.0",
        method="GET",
        path="/a/b",
        query="x=1&y=2",
        status=200,
        bytes=162,
    )
    assert len(event.id) == 16


@pytest.mark.parametrize(
    ("line", "ip", "path", "status", "size", "latency_ms"),
    [
        (f'192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 304 -', "192.0.2.1", "/a", 304, 0, 0.0),
        (f'2001:DB8::0:1 - - {STAMP} "GET /a HTTP/2.0" 200 7 "-" "x"', "2001:db8::1", "/a", 200, 7, 0.0),
        (f'client.example.com - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', None, "/a", 200, 7, 0.0),
        (f'example.com:443 192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'www.example.com 192.0.2.1 - bob {STAMP} "GET /a HTTP/1.1" 200 7', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'Sep 15 16:13:46 host nginx[2869]: 192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'<190>Sep  5 16:13:46 host nginx: 192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'2021-09-15T16:13:46.1+02:00 host nginx: 192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'web_1  | 192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" - - "-" "x" 45 "-" "-" 12ms', "192.0.2.1", "/a", 0, 0, 12.0),
        (
            f'192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x" 500 "app@docker" "http://198.51.100.3:80" 42ms',
            "192.0.2.1",
            "/a",
            200,
            7,
            42.0,
        ),
        (f'192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x" "-" rt=0.250 uct="0.001"', "192.0.2.1", "/a", 200, 7, 250.0),
        (f'192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x" 512 0.004 [app] [] 198.51.100.3:80', "192.0.2.1", "/a", 200, 7, 4.0),
        (f'10.0.0.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x" "198.51.100.9, 203.0.113.7"', "203.0.113.7", "/a", 200, 7, 0.0),
        (f'192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x" "203.0.113.7"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'10.0.0.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x" X-Forwarded-For="203.0.113.7"', "203.0.113.7", "/a", 200, 7, 0.0),
        (f'192.0.2.1:51000 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'[2001:db8::1]:51000 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "2001:db8::1", "/a", 200, 7, 0.0),
        (f'198.51.100.9, 203.0.113.7, 10.0.0.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "203.0.113.7", "/a", 200, 7, 0.0),
        (f'example.com 10.0.0.2, 203.0.113.7 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "203.0.113.7", "/a", 200, 7, 0.0),
        (f'example.com:80 "10.0.0.2, 203.0.113.7" 10.0.0.1 - - {STAMP} "GET /a HTTP/1.1" 200 7', "203.0.113.7", "/a", 200, 7, 0.0),
        (f'a.example 203.0.113.7, 10.0.0.2 192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'10.0.0.2, 10.0.0.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"', None, "/a", 200, 7, 0.0),
        ('192.0.2.1 - - [2021-09-30T09:58:05+02:00] "GET /a HTTP/1.1" 200 7 "-" "x"', "192.0.2.1", "/a", 200, 7, 0.0),
        (f'192.0.2.1 - - {STAMP} "GET /a HTTP/1.1" 200 7 "-" "x"\r\n', "192.0.2.1", "/a", 200, 7, 0.0),
    ],
)
def test_every_common_shape_is_read(line: str, ip: str | None, path: str, status: int, size: int, latency_ms: float) -> None:
    event = one(line)
    assert (event.ts, event.ip, event.path, event.status, event.bytes, event.latency_ms) == (TS, ip, path, status, size, latency_ms)


@pytest.mark.parametrize(
    ("request_line", "method", "path", "query"),
    [
        (r"\x16\x03\x01\x02", None, None, None),
        ("-", None, None, None),
        ("", None, None, None),
        ("GET /a b?c d HTTP/1.1", "GET", "/a b", "c d"),
        (r"GET /a\x22b\"c?q=\\ HTTP/1.1", "GET", '/a"b"c', "q=\\"),
        (r"GET /\x00 HTTP/1.1", "GET", r"/\x00", None),
        ("GET /", "GET", "/", None),
        ("PROPFIND /dav HTTP/1.1", "PROPFIND", "/dav", None),
    ],
)
def test_broken_and_escaped_requests_keep_what_can_be_read(
    request_line: str, method: str | None, path: str | None, query: str | None
) -> None:
    event = one(combined(request_line, 400))
    assert (event.kind, event.outcome, event.method, event.path, event.query) == ("api.request", "failure", method, path, query)


def test_a_user_name_with_a_space_is_no_virtual_host() -> None:
    event = one(combined("GET / HTTP/1.1", 200, "john doe"))
    assert (event.ip, event.actor) == ("192.0.2.1", "john doe")


def test_an_empty_user_name_is_no_actor() -> None:
    assert one(f'192.0.2.1 -  {STAMP} "GET / HTTP/1.1" 401 7').actor is None


def test_quotes_in_the_user_agent_do_not_end_it() -> None:
    assert one(f'192.0.2.1 - - {STAMP} "GET / HTTP/1.1" 200 7 "-" "say \\"hi\\" \\x22x"').user_agent == 'say "hi" "x'


def test_long_texts_are_cut() -> None:
    line = f'192.0.2.1 - {"u" * 400} {STAMP} "GET /{"p" * 3000}?{"q" * 3000} HTTP/1.1" 200 7 "-" "{"a" * 3000}"'
    event = one(line)
    assert [len(text or "") for text in (event.actor, event.path, event.query, event.user_agent)] == [256, 2048, 2048, 512]


@pytest.mark.parametrize(
    ("request_line", "status", "user", "kind", "outcome", "reason", "target"),
    [
        ("GET / HTTP/1.1", 200, "bob", "api.request", "success", None, None),
        ("GET / HTTP/1.1", 404, "-", "api.request", "failure", None, None),
        ("GET /a HTTP/1.1", 401, "bob", "auth.login", "failure", "bad_password", None),
        ("GET /a HTTP/1.1", 401, "-", "authz.decision", "failure", "unauthenticated", "path:/a"),
        ("GET /a?b HTTP/1.1", 403, "-", "authz.decision", "failure", "forbidden", "path:/a"),
        ("POST /blog/wp-login.php HTTP/1.1", 200, "-", "auth.login", "failure", "bad_password", None),
        ("POST /wp-login.php HTTP/1.1", 302, "-", "auth.login", "success", None, None),
        ("POST /wp-login.php HTTP/1.1", 403, "-", "auth.login", "failure", "forbidden", None),
        ("POST /wp-login.php?action=lostpassword HTTP/1.1", 302, "-", "auth.password_reset", "success", None, None),
        ("POST /wp-login.php?action=postpass HTTP/1.1", 302, "-", "api.request", "success", None, None),
        ("GET /wp-login.php HTTP/1.1", 200, "-", "api.request", "success", None, None),
        ("POST /xmlrpc.php HTTP/1.1", 200, "-", "api.request", "success", None, None),
        ("POST /administrator/index.php HTTP/1.1", 303, "-", "api.request", "success", None, None),
        ("POST /api/v1/login HTTP/1.1", 401, "-", "auth.login", "failure", "bad_password", None),
        ("POST /user/Sign-In/ HTTP/1.1", 422, "-", "auth.login", "failure", "bad_password", None),
        ("POST /login HTTP/1.1", 429, "-", "auth.login", "failure", "rate_limited", None),
        ("POST /login HTTP/1.1", 400, "-", "api.request", "failure", None, None),
        ("POST /login HTTP/1.1", 200, "-", "api.request", "success", None, None),
        ("POST /login HTTP/1.1", 302, "-", "api.request", "success", None, None),
        ("POST /oauth/token HTTP/1.1", 400, "-", "auth.login", "failure", "bad_password", None),
        ("POST /owa/auth.owa HTTP/1.1", 401, "-", "auth.login", "failure", "bad_password", None),
        ("POST /blogin HTTP/1.1", 401, "-", "authz.decision", "failure", "unauthenticated", "path:/blogin"),
    ],
)
def test_only_what_tells_its_result_is_a_login(
    request_line: str, status: int, user: str, kind: str, outcome: str, reason: str | None, target: str | None
) -> None:
    event = one(combined(request_line, status, user))
    assert (event.kind, event.outcome, event.reason, event.target, event.status) == (kind, outcome, reason, target, status)


NGINX = "2021/09/30 09:23:53 [error] 19#19: *17 "
NGINX_TAIL = ', client: 192.0.2.9, server: _, request: "GET /a?b HTTP/1.1", host: "localhost"'
APACHE = "[Fri Oct 08 17:08:41.203277 2021] [auth_basic:error] [pid 7005:tid 140667] "


@pytest.mark.parametrize(
    ("line", "actor", "reason", "ip", "path", "ts"),
    [
        (f'{NGINX}user "foo" was not found in "/etc/a.htpasswd"{NGINX_TAIL}', "foo", "unknown_user", "192.0.2.9", "/a", 1632993833.0),
        (f'{NGINX}user "foo": password mismatch{NGINX_TAIL}', "foo", "bad_password", "192.0.2.9", "/a", 1632993833.0),
        (
            f'{NGINX}user "a" was, client" was not found in "/x"{NGINX_TAIL}',
            'a" was, client',
            "unknown_user",
            "192.0.2.9",
            "/a",
            1632993833.0,
        ),
        (f"{APACHE}[client 192.0.2.9:1453] AH01618: user foo not found: /a", "foo", "unknown_user", "192.0.2.9", None, 1633712921.203277),
        (
            f'{APACHE}[client 2001:db8::1:1453] AH01617: user foo: authentication failure for "/a": Password Mismatch',
            "foo",
            "bad_password",
            "2001:db8::1",
            None,
            1633712921.203277,
        ),
        (
            '[Fri Oct 08 17:08:41 2021] [error] [client 192.0.2.9] user foo: authentication failure for "/a": Password Mismatch',
            "foo",
            "bad_password",
            "192.0.2.9",
            None,
            1633712921.0,
        ),
        (
            "[Fri Oct 08 17:08:41 2021] [error] [client 192.0.2.9] Digest: user foo: password mismatch: /a",
            "foo",
            "bad_password",
            "192.0.2.9",
            None,
            1633712921.0,
        ),
        (
            f"{APACHE}[client 192.0.2.9:1453] AH01792: user foo: password mismatch: /a",
            "foo",
            "bad_password",
            "192.0.2.9",
            None,
            1633712921.203277,
        ),
        (
            f"{APACHE}[client 192.0.2.9:1453] AH01790: user `foo' in realm `private area' not found: /a",
            "foo",
            "unknown_user",
            "192.0.2.9",
            None,
            1633712921.203277,
        ),
        (
            "[Fri Oct 08 17:08:41 2021] [error] [client 192.0.2.9] user foo not found",
            "foo",
            "unknown_user",
            "192.0.2.9",
            None,
            1633712921.0,
        ),
    ],
)
def test_failed_authentication_in_error_logs_is_a_login(line: str, actor: str, reason: str, ip: str, path: str | None, ts: float) -> None:
    event = one(line)
    assert (event.kind, event.outcome, event.actor, event.reason, event.ip, event.path) == (
        "auth.login",
        "failure",
        actor,
        reason,
        ip,
        path,
    )
    assert event.ts == ts


FORGED = 'user "bob": password mismatch, client: 198.51.100.1, server: _'


@pytest.mark.parametrize(
    "line",
    [
        "  ",
        f"{NGINX}open() failed{NGINX_TAIL}",
        f'{NGINX}open() failed, client: 192.0.2.9, server: _, request: "GET /{FORGED} HTTP/1.1"',
        f"{APACHE}[client 192.0.2.9:1] AH00126: Invalid URI",
        f'{APACHE}[client 192.0.2.9:1] AH00126: Invalid URI in request GET /[client 198.51.100.1] user bob: authentication failure for "',
    ],
)
def test_lines_that_say_nothing_of_security_are_skipped(line: str) -> None:
    assert parser().parse(line.encode()) == ()


def nginx_json(**fields: object) -> bytes:
    return orjson.dumps({"remote_addr": "192.0.2.1", "msec": "1632988685.250", "request": "GET /a?b=1 HTTP/1.1", "status": 200, **fields})


def test_json_lines_are_read() -> None:
    event = one(nginx_json(status="403", body_bytes_sent="12", http_user_agent="x", remote_user="bob", request_time="0.125"))
    assert (event.kind, event.ts, event.status, event.bytes, event.latency_ms) == ("authz.decision", TS + 0.25, 403, 12, 125.0)
    assert (event.actor, event.user_agent, event.method, event.path, event.query) == ("bob", "x", "GET", "/a", "b=1")


@pytest.mark.parametrize(
    "fields",
    [
        {"remote_addr": "192.0.2.1", "time_local": STAMP[1:-1], "request_method": "GET", "uri": "/a", "args": "b=1", "status": 200},
        {"remote_addr": "192.0.2.1", "time_iso8601": "2021-09-30T09:58:05+02:00", "method": "GET", "request_uri": "/a?b=1", "status": 200},
        {"client_ip": "192.0.2.1", "msec": 1632988685, "request": "GET /a?b=1 HTTP/1.1", "status": 200, "bytes_sent": 1},
    ],
)
def test_json_fields_have_several_names(fields: dict[str, object]) -> None:
    event = one(orjson.dumps(fields))
    assert (event.ts, event.ip, event.method, event.path, event.query) == (TS, "192.0.2.1", "GET", "/a", "b=1")


def test_json_with_the_escapes_of_nginx_is_read() -> None:
    assert one(rb'{"remote_addr":"192.0.2.1","msec":"1632988685.0","request":"GET /\x22 HTTP/1.1","status":"200"}').path == '/"'


def test_list_of_addresses_is_not_taken_for_a_user() -> None:
    event = one(f'example.com 198.51.100.9, 203.0.113.7 - bob {STAMP} "GET /a HTTP/1.1" 401 7 "-" "x"')
    assert (event.kind, event.actor, event.ip) == ("auth.login", "bob", "203.0.113.7")
    assert one(f'10.0.0.2, 203.0.113.7 - - {STAMP} "GET /a HTTP/1.1" 200 7').actor is None


@pytest.mark.parametrize("start", [NGINX, APACHE])
def test_error_log_without_a_login_is_recognised_all_the_same(start: str) -> None:
    assert FORMAT.recognise(f"{start}something else\n".encode() * 70) >= 0.5


def test_forwarded_addresses_count_only_behind_an_own_proxy() -> None:
    assert one(nginx_json(remote_addr="10.0.0.1", http_x_forwarded_for="203.0.113.7")).ip == "203.0.113.7"
    assert one(nginx_json(http_x_forwarded_for="203.0.113.7")).ip == "192.0.2.1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Mar 29 01:02:03 host sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2", "unknown_shape"),
        (f'192.0.2.1 - - {STAMP} "GET / HTTP/1.1" abc 7', "unknown_shape"),
        ('192.0.2.1 - - [31/Feb/2021:09:58:05 +0200] "GET / HTTP/1.1" 200 7', "bad_time"),
        ('192.0.2.1 - - [31/Jan/1970:09:58:05 +0200] "GET / HTTP/1.1" 200 7', "time_out_of_range"),
        ('2021/09/31 09:23:53 [error] 1#1: *1 user "a": password mismatch, client: 192.0.2.1, server: _', "bad_time"),
        ("x" * 70_000, "too_long"),
        ('{"a":', "not_json"),
        ('{"a":' + "[" * 5000 + "]" * 5000 + "}", "too_deep"),
        ('{"kind":"auth.login"}', "unknown_shape"),
        ('{"remote_addr":"192.0.2.1","request":"GET /","status":200}', "missing_field"),
        ('{"remote_addr":"192.0.2.1","request":"GET /","status":"x","msec":1632988685}', "bad_field"),
        ('{"remote_addr":[1],"request":"GET /","status":200,"msec":1632988685}', "bad_field"),
    ],
)
def test_what_is_no_access_line_is_rejected(line: str, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(line.encode())
    assert caught.value.reason == reason


def test_equal_lines_are_separate_requests_also_across_files() -> None:
    context = Context(Memory())
    line = combined("GET / HTTP/1.1", 200).encode()
    first = FORMAT.parser(context)
    ids = [first.parse(line)[0].id, first.parse(line + b"\r\n")[0].id, FORMAT.parser(context).parse(line)[0].id]
    assert ids == [ids[0], f"{ids[0]}-1", f"{ids[0]}-2"]


def test_raw_bytes_are_kept_written_out() -> None:
    assert one(combined("GET /", 200).encode() + b" \xff").path == "/"
    assert one(f'192.0.2.1 - - {STAMP} "GET / HTTP/1.1" 200 7 "-" "'.encode() + b'\xe4"').user_agent == r"\xe4"


@pytest.mark.parametrize(
    ("sample", "low", "high"),
    [
        (combined("GET / HTTP/1.1", 200) + "\n" + combined("GET / HTTP/1.1", 200)[:30], 0.9, 1.0),
        (nginx_json().decode(), 0.9, 1.0),
        (f'{NGINX}user "foo": password mismatch{NGINX_TAIL}\n', 0.4, 0.6),
        ("Mar 29 01:02:03 host sshd[1]: Accepted password for bob from 192.0.2.1 port 22 ssh2\n", 0.0, 0.0),
        ('{"eventVersion":"1.08","eventSource":"s3.amazonaws.com"}\n', 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_samples_are_recognised(sample: str, low: float, high: float) -> None:
    assert low <= FORMAT.recognise(sample.encode()) <= high


def parse_or_reject(data: bytes) -> None:
    assert 0 <= FORMAT.recognise(data) <= 1
    reason: str | None = None
    events: list[Event] = []
    try:
        events = list(parser().parse(data))
    except RejectError as error:
        reason = error.reason
    assert reason is None or reason in REJECT_REASONS
    assert all(event.id and event.ts and event.kind for event in events)


pieces = st.sampled_from(
    [
        "192.0.2.1",
        " - ",
        "- ",
        STAMP,
        "[",
        "]",
        ' "',
        '" ',
        "GET /x HTTP/1.1",
        "\\x22",
        "\\",
        "200",
        " 401 ",
        "-",
        NGINX,
        APACHE,
        "٣",
        'user "a"',
        "9" * 30,
    ]
)


@given(st.one_of(st.binary(), st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=14).map(lambda parts: "".join(parts).encode())))
def test_any_bytes_give_events_or_a_reject(data: bytes) -> None:
    parse_or_reject(data)


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=8), st.just("1e999"), st.just("nan")
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
optional = ("msec", "time_local", "body_bytes_sent", "remote_user", "request_time", "uri", "request_method", "http_x_forwarded_for")


@settings(max_examples=200)
@given(st.fixed_dictionaries({"remote_addr": values, "request": values, "status": values}, optional=dict.fromkeys(optional, values)))
def test_any_json_values_give_events_or_a_reject(fields: dict[str, object]) -> None:
    parse_or_reject(orjson.dumps(fields))
    parse_or_reject(orjson.dumps({"msec": 1632988685, **fields}))


@pytest.mark.parametrize("digits", ["9" * 400, "1e308", "-1", "0.5", "9" * 5000])
def test_odd_json_numbers_do_not_escape(digits: str) -> None:
    for name in ("status", "msec", "bytes_sent", "request_time"):
        fields = {"remote_addr": '"192.0.2.1"', "request": '"GET /"', "status": "200", "msec": "1632988685", name: digits}
        parse_or_reject(("{" + ",".join(f'"{key}":{value}' for key, value in fields.items()) + "}").encode())


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("pattern", "events", "logins"),
    [
        ("web_access/apache_combined.log", 10_000, 0),
        ("crowdsec/http-bf-wordpress-bf/*.log", 9, 9),
        ("crowdsec/nginx-http-generic-bf/*.log", 22, 22),
        ("crowdsec/traefik_clf/*.log", 7, 0),
        ("crowdsec/apache-cve-2021-41773/*.log", 2, 0),
        ("crowdsec/nginx-http-xss-probing/*.log", 26, 0),
        ("crowdsec/http-dos-*/*.log", 81, 0),
    ],
)
def test_real_logs_are_read_whole(real_logs: Path, pattern: str, events: int, logins: int) -> None:
    one_input = parser()
    found: list[Event] = []
    for path in sorted(real_logs.glob(pattern)):
        assert FORMAT.recognise(path.read_bytes()[:65_536]) > 0.5
        for line in path.read_bytes().splitlines():
            found.extend(one_input.parse(line))
    assert len(found) == events
    assert len({event.id for event in found}) == events
    assert sum(event.kind == "auth.login" and event.outcome == "failure" for event in found) == logins
