"""Writes the example logs: one working day of a small company, 2026-03-03 (UTC), with attacks in each file.

Everything in them is made up; the addresses are documentation addresses. The same script always writes the same logs: chance comes from
``random.Random(seed).random()`` alone, the one method whose sequence Python promises to keep.

    python deploy/examples/make_logs.py [FOLDER]
"""

import gzip
import json
import random
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Timed = tuple[float, str]
"""Seconds since midnight, and a line."""

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
OFFICE = "192.0.2.10"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15"
BROWSERS = (FIREFOX, CHROME, CHROME, SAFARI)


class Chance:
    """Repeatable choices."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def between(self, low: float, high: float) -> float:
        """Somewhere in [low, high)."""
        return low + (high - low) * self._random.random()

    def whole(self, low: int, high: int) -> int:
        """Choose a whole number in [low, high]."""
        return int(self.between(low, high + 1))

    def pick(self, things: Sequence[T]) -> T:
        """One of them."""
        return things[self.whole(0, len(things) - 1)]

    def happens(self, probability: float) -> bool:
        """Toss a coin of this probability."""
        return self._random.random() < probability

    def text(self, alphabet: str, length: int) -> str:
        """Random characters."""
        return "".join(self.pick(alphabet) for _ in range(length))


def at(hours: int, minutes: int = 0, seconds: float = 0.0) -> float:
    """Seconds since midnight."""
    return hours * 3600.0 + minutes * 60 + seconds


def moment(second: float) -> datetime:
    """Turn a second of the day into a date and time."""
    return MIDNIGHT + timedelta(microseconds=round(second * 1e6))


def in_order(timed: Iterable[Timed]) -> bytes:
    """Sort lines by time; what happens at one moment keeps its order."""
    return "".join(line + "\n" for _, line in sorted(timed, key=lambda pair: pair[0])).encode()


# auth.log: sshd of one bastion host, with ISO 8601 stamps as current rsyslog writes them.

STAFF = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
OFFICE_STAFF = ("ivan", "judy", "kim", "leo", "mia", "nina", "oscar", "peggy", "quentin", "rupert", "sybil", "trent", "ursula", "victor")
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
GUESSED = ("root", "root", "root", "admin", "ubuntu", "test", "oracle", "postgres", "git", "user", "pi", "ftpuser")
KNOWN = frozenset({"root", "deploy", "backup", *STAFF, *OFFICE_STAFF})


class AuthLog:
    """Collects the lines of connections; each has a process of its own."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.timed: list[Timed] = []
        self._pids: set[int] = set()

    def say(self, second: float, program: str, text: str) -> None:
        """One syslog line."""
        self.timed.append((second, f"{moment(second).isoformat(timespec='microseconds')} bastion {program}: {text}"))

    def connection(self, second: float, user: str, ip: str, *, failures: int, method: str | None) -> None:
        """``failures`` wrong passwords, then a login by ``method`` (``None``: the connection is closed)."""
        chance = self.chance
        pid = 1180 + int(second / 3)  # process numbers grow through the day
        while pid in self._pids:
            pid += 1
        self._pids.add(pid)
        sshd, port = f"sshd[{pid}]", chance.whole(32_768, 60_999)
        unknown = "" if user in KNOWN else "invalid user "
        if unknown:
            self.say(second, sshd, f"Invalid user {user} from {ip} port {port}")
        for _ in range(failures):
            second += chance.between(1.2, 2.9)
            self.say(second, sshd, f"Failed password for {unknown}{user} from {ip} port {port} ssh2")
        second += chance.between(0.2, 1.5)
        if method is None:
            self.say(second, sshd, f"Connection closed by {unknown or 'authenticating user '}{user} {ip} port {port} [preauth]")
            return
        key = f": ED25519 SHA256:{Chance(len(user) * 1000 + ord(user[0])).text(BASE64, 43)}" if method == "publickey" else ""
        self.say(second, sshd, f"Accepted {method} for {user} from {ip} port {port} ssh2{key}")
        self.say(second + 0.04, sshd, f"pam_unix(sshd:session): session opened for user {user}(uid={1000 + ord(user[0])}) by (uid=0)")
        end = second + chance.between(300, 3200)
        self.say(end, sshd, f"Disconnected from user {user} {ip} port {port}")
        self.say(end + 0.01, sshd, f"pam_unix(sshd:session): session closed for user {user}")


def ordinary_ssh(log: AuthLog) -> None:
    """Eight people with keys, an office that shares one address, a forgotten password, a backup job."""
    chance = log.chance
    for number, user in enumerate(STAFF):
        home = "2001:db8:40::7" if user == "grace" else f"192.0.2.{20 + number}"
        for _ in range(chance.whole(4, 7)):
            log.connection(chance.between(at(7, 40), at(18, 30)), user, home, failures=0, method="publickey")
    for number, user in enumerate(OFFICE_STAFF):
        mistyped = 1 if user in {"judy", "oscar", "ursula"} else 0
        log.connection(at(8, 2) + number * 420 + chance.between(0, 300), user, OFFICE, failures=mistyped, method="password")
        log.connection(chance.between(at(13), at(17)), user, OFFICE, failures=0, method="password")
    log.connection(at(9, 14, 8.2), "dave", "192.0.2.23", failures=3, method="password")
    for hour in range(24):
        log.connection(at(hour, 5, 1), "backup", "192.0.2.5", failures=0, method="publickey")
        log.say(at(hour, 17, 1.3), f"CRON[{1525 + hour * 1200}]", "pam_unix(cron:session): session opened for user root(uid=0)")
        log.say(at(hour, 17, 1.9), f"CRON[{1525 + hour * 1200}]", "pam_unix(cron:session): session closed for user root")


def auth_log() -> bytes:
    """``auth.log``: the ordinary day, a burst, a slow guesser, and a spray that gets in."""
    log = AuthLog(Chance(1))
    chance = log.chance
    ordinary_ssh(log)
    for number in range(75):  # 300 failures in 20 minutes
        log.connection(at(3, 40) + number * 15.8 + chance.between(0, 5), chance.pick(GUESSED), "203.0.113.66", failures=4, method=None)
    second = at(11, 3)
    while second < at(14, 3):  # one failure every 12 to 15 minutes: too slow for a short window
        log.connection(second, chance.pick(("root", "admin", "backup")), "198.51.100.23", failures=1, method=None)
        second += chance.between(720, 900)
    sprayed = ("alice", "bob", "carol", "dave", "grace", "heidi", "ivan", "judy", "mia", "oscar", "root", "deploy")
    for number, user in enumerate(sprayed):  # 16 failures in 13 minutes, and then the right password
        tries = 2 if number % 3 == 1 else 1
        log.connection(at(16, 20) + number * 70 + chance.between(0, 20), user, "203.0.113.140", failures=tries, method=None)
    log.connection(at(16, 36, 12.5), "deploy", "203.0.113.140", failures=0, method="password")
    return in_order(log.timed)


# access.log.gz: the company's web site, which runs on WordPress.

PAGES = ("/", "/about/", "/pricing/", "/blog/", "/blog/hello-spring/", "/blog/how-we-ship/", "/contact/", "/careers/", "/docs/start/")
ASSETS = ("/assets/site.css", "/assets/site.js", "/assets/logo.svg", "/assets/team.webp", "/favicon.ico")


def hit(second: float, ip: str, request: str, status: int, size: int, *, referer: str = "-", agent: str) -> Timed:
    """One line in the combined format. ``request``: method and path."""
    stamp = moment(second).strftime("%d/Mar/%Y:%H:%M:%S +0000")  # the month is March by construction: %b would follow the locale
    return second, f'{ip} - - [{stamp}] "{request} HTTP/1.1" {status} {size} "{referer}" "{agent}"'


def visit(chance: Chance, start: float, ip: str) -> Iterable[Timed]:
    """One visitor: some pages, and what each page loads the first time."""
    agent, second, referer, loaded = chance.pick(BROWSERS), start, "https://search.example.com/", False
    for _ in range(chance.whole(1, 5)):
        page = chance.pick(PAGES)
        yield hit(second, ip, f"GET {page}", 200, 4000 + 37 * len(page) + chance.whole(0, 90), referer=referer, agent=agent)
        referer = f"https://www.example.com{page}"
        for number, asset in enumerate(ASSETS if not loaded else ASSETS[:1]):
            seen = loaded or chance.happens(0.2)
            status, size = (304, 0) if seen else (200, 900 * (number + 2))
            yield hit(second + 0.2 + 0.1 * number, ip, f"GET {asset}", status, size, referer=referer, agent=agent)
        loaded = True
        second += chance.between(6, 90)
    if chance.happens(0.06):
        yield hit(second, ip, "GET /blog/old-news/", 404, 1245, referer=referer, agent=agent)
    if chance.happens(0.05):
        yield hit(second + 20, ip, "POST /contact/", 303, 0, referer="https://www.example.com/contact/", agent=agent)


def access_log() -> bytes:
    """``access.log``: visitors, a crawler, a health check, two editors; and a login form under attack."""
    chance = Chance(2)
    timed: list[Timed] = []
    for number in range(125):
        ip = f"{('203.0.113', '198.51.100', '203.0.113')[number % 3]}.{chance.whole(150, 199)}"
        ip = ip if number % 9 else f"2001:db8:{chance.whole(1, 99)}::{number}"
        timed += visit(chance, chance.between(at(6), at(22)), ip)
    timed += [hit(number * 900 + 2, "192.0.2.5", "GET /health", 200, 2, agent="curl/8.11.1") for number in range(96)]
    timed += [hit(at(2) + n * 97, "198.51.100.9", f"GET {chance.pick(PAGES)}", 200, 5120, agent="examplebot/2.1") for n in range(60)]
    form = "https://www.example.com/wp-login.php"
    for start, mistyped in ((at(8, 31), 0), (at(9, 47), 1)):  # WordPress answers 200 to a wrong password and 302 to the right one
        timed.append(hit(start, OFFICE, "GET /wp-login.php", 200, 4821, agent=FIREFOX))
        timed += [hit(start + 9, OFFICE, "POST /wp-login.php", 200, 5011, referer=form, agent=FIREFOX)] * mistyped
        timed.append(hit(start + 21, OFFICE, "POST /wp-login.php", 302, 0, referer=form, agent=FIREFOX))
        timed += [hit(start + 22 + n * 40, OFFICE, "GET /wp-admin/edit.php", 200, 61_202, referer=form, agent=FIREFOX) for n in range(12)]
    for number in range(60):
        second = at(19, 12) + number * 3 + chance.between(0, 2)
        timed.append(hit(second, "198.51.100.77", "POST /wp-login.php", 200, 5011, agent="python-requests/2.32.3"))
    return in_order(timed)


# cloudtrail.json.gz: one delivery file of the company's AWS account.

ACCOUNT = "123456789012"
HEX = "0123456789abcdef"


def call(chance: Chance, second: float, identity: dict[str, Any], event: str, **fields: Any) -> tuple[float, dict[str, Any]]:
    """One CloudTrail record. ``event``: source and name, such as ``s3:GetObject``."""
    service, name = event.split(":")
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": moment(second).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": OFFICE,
        "userAgent": "aws-cli/2.24.10",
        "requestParameters": None,
        "responseElements": None,
        "readOnly": name.startswith(("Get", "List", "Describe")),
        "eventID": "-".join(chance.text(HEX, length) for length in (8, 4, 4, 4, 12)),
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }
    return second, record | fields


def iam_user(name: str) -> dict[str, Any]:
    """Identify a person."""
    identity = {"type": "IAMUser", "principalId": f"AIDAEXAMPLE{name.upper()}", "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
    return identity | {"accountId": ACCOUNT, "userName": name}


def role(name: str, session: str) -> dict[str, Any]:
    """Identify somebody who has taken on a role."""
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "userName": name}
    identity = {"type": "AssumedRole", "principalId": f"AROAEXAMPLE{name.upper()}:{session}", "accountId": ACCOUNT}
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"
    return identity | {"arn": arn, "sessionContext": {"sessionIssuer": issuer}}


def console_login(chance: Chance, second: float, user: str, ip: str, *, success: bool) -> tuple[float, dict[str, Any]]:
    """Somebody signs in to the console, or fails to."""
    result: dict[str, Any] = {"responseElements": {"ConsoleLogin": "Success" if success else "Failure"}, "eventType": "AwsConsoleSignIn"}
    if not success:
        result["errorMessage"] = "Failed authentication"
    result |= {"sourceIPAddress": ip, "userAgent": CHROME, "additionalEventData": {"MFAUsed": "Yes" if ip == OFFICE else "No"}}
    return call(chance, second, iam_user(user), "signin:ConsoleLogin", **result)


def cloudtrail() -> bytes:
    """``cloudtrail.json``: ordinary work, a guessed console password, and a role that empties a bucket."""
    chance = Chance(3)
    timed: list[tuple[float, dict[str, Any]]] = []
    ordinary = ("ec2:DescribeInstances", "s3:ListBuckets", "s3:GetObject", "iam:GetUser", "rds:DescribeDBInstances")
    for number, user in enumerate(("alice", "carol", "heidi")):
        timed.append(console_login(chance, at(8, 20 + 9 * number), user, OFFICE, success=True))
    for _ in range(30):
        event = chance.pick(ordinary)
        parameters = {"bucketName": "acme-site", "key": f"release/{chance.whole(1, 9)}.tar.gz"} if event == "s3:GetObject" else None
        second = chance.between(at(9), at(17, 30))
        timed.append(call(chance, second, iam_user(chance.pick(("alice", "carol", "heidi"))), event, requestParameters=parameters))
    for hour in range(0, 24, 3):
        fields = {"requestParameters": {"bucketName": "acme-backup", "key": f"db/{hour:02}.dump"}, "sourceIPAddress": "192.0.2.5"}
        timed.append(call(chance, at(hour, 10), role("backup", "nightly"), "s3:PutObject", **fields))
    # 12 wrong passwords in 6 minutes, then the right one
    timed += [console_login(chance, at(13, 2) + number * 29, "bob", "203.0.113.91", success=False) for number in range(12)]
    timed.append(console_login(chance, at(13, 9, 4), "bob", "203.0.113.91", success=True))
    for number in range(150):  # 150 objects in 10 minutes
        taken = {"bucketName": "acme-customers", "key": f"contracts/{10_400 + number}.pdf"}
        fields = {"requestParameters": taken, "sourceIPAddress": "203.0.113.91", "userAgent": "Boto3/1.36.2"}
        timed.append(call(chance, at(13, 31) + number * 3.9, role("reporting", "bob"), "s3:GetObject", **fields))
    records = [record for _, record in sorted(timed, key=lambda pair: pair[0])]
    return (json.dumps({"Records": records}, indent=1) + "\n").encode()


# app.jsonl.gz: the company's own product, as native events.

CITIES = (
    ("PT", "Lisbon", 38.72, -9.14, 64_496),
    ("DE", "Berlin", 52.52, 13.40, 64_497),
    ("ES", "Madrid", 40.42, -3.70, 64_498),
    ("FR", "Lyon", 45.76, 4.84, 64_499),
    ("DE", "Frankfurt", 50.11, 8.68, 64_500),
    ("SG", "Singapore", 1.35, 103.82, 64_501),
)
USERS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", *OFFICE_STAFF, "mallory", "wendy", "yves")
ROUTES = (("GET", "/v1/files/{id}"), ("GET", "/v1/files"), ("GET", "/v1/projects/{id}"), ("GET", "/v1/me"), ("PUT", "/v1/files/{id}"))


class Session:
    """What stays the same while one person works from one place."""

    def __init__(self, app: "App", actor: str, ip: str, city: int, agent: str) -> None:
        self._app = app
        country, name, lat, lon, asn = CITIES[city]
        place = {"ip": ip, "country": country, "city": name, "lat": lat, "lon": lon, "asn": asn}
        self._fields = {"tenant": "acme", "actor": actor, "actor_type": "user", **place, "user_agent": agent}
        self._session_id = f"s-{app.chance.text(HEX, 12)}"

    def login(self, second: float, *, wrong: int = 0) -> None:
        """``wrong`` bad passwords, a login, its second factor."""
        for _ in range(wrong):
            self._app.say(second, "auth.login", "failure", self._fields | {"reason": "bad_password"})
            second += self._app.chance.between(6, 25)
        self._app.say(second, "auth.login", "success", self._fields | {"session_id": self._session_id})
        self._app.say(second + 7, "auth.mfa_challenge", "success", self._fields | {"session_id": self._session_id})

    def does(self, second: float, kind: str, **fields: Any) -> None:
        """Anything else, within the session."""
        self._app.say(second, kind, "success", self._fields | {"session_id": self._session_id} | fields)

    def works(self, start: float, end: float, requests: int) -> None:
        """Send the API requests of a working day, among them small exports."""
        chance = self._app.chance
        for _ in range(requests):
            method, route = chance.pick(ROUTES)
            path = route.replace("{id}", str(chance.whole(1000, 9999)))
            fields = {"method": method, "route": route, "path": path, "status": 200, "latency_ms": chance.whole(8, 140)}
            self.does(chance.between(start, end), "api.request", **fields, bytes=chance.whole(200, 9000))
        if chance.happens(0.4):
            rows = chance.whole(5, 90)
            self.does(chance.between(start, end), "data.export", action="read", target="report:weekly", records=rows, bytes=rows * 310)


class App:
    """Collects events; they are numbered in order of time."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self._timed: list[tuple[float, dict[str, Any]]] = []

    def say(self, second: float, kind: str, outcome: str, fields: dict[str, Any]) -> None:
        """One event."""
        stamp = moment(second).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._timed.append((second, {"time": stamp, "kind": kind, "outcome": outcome, **fields}))

    def lines(self) -> bytes:
        """Write the log out."""
        self._timed.sort(key=lambda pair: pair[0])
        return in_order((second, json.dumps({"id": f"acme-{n:06}", **event})) for n, (second, event) in enumerate(self._timed, 1))


def app_log() -> bytes:
    """``app.jsonl``: 25 people at work, two who travel, one who takes data away, and an address that tries a stolen list."""
    app = App(Chance(4))
    chance = app.chance
    for number, user in enumerate(USERS):
        city = 0 if user in {"erin", "frank"} else number % 4
        session = Session(app, user, f"192.0.2.{100 + number}", city, chance.pick(BROWSERS))
        usual = chance.between(at(7, 50), at(9, 20)), chance.between(at(16, 30), at(18))
        start, end = {"erin": (at(9, 10), at(9, 45)), "frank": (at(7, 30), at(9))}.get(user, usual)
        session.login(start, wrong=1 if number % 6 == 1 else 0)
        session.works(start + 30, end, 30 if user in {"erin", "frank"} else 80)
        session.does(end + 60, "auth.logout")
        if user == "mallory":  # 40,000 records in 200 exports within 30 minutes
            for part in range(200):
                taken = {"target": f"customer:{20_000 + part}", "records": 200, "bytes": 62_000}
                session.does(at(15, 5) + part * 8.9, "data.export", action="read", **taken)
    stolen = Session(app, "erin", "198.51.100.201", 5, CHROME)  # Lisbon at 09:10, Singapore 40 minutes later
    stolen.login(at(9, 50))
    stolen.works(at(9, 51), at(10, 20), 25)
    abroad = Session(app, "frank", "198.51.100.60", 4, FIREFOX)  # Lisbon at 07:30, Frankfurt six hours later: a flight
    abroad.login(at(13, 30))
    abroad.works(at(13, 31), at(17), 50)
    for number in range(60):  # 60 accounts, one try each, in 6 minutes; 48 of them do not exist here
        known = number % 5 == 2
        actor = USERS[number // 5 * 2] if known else f"{chance.pick('abcdefgh')}.{chance.text('aeioulmnrst', 6)}@example.com"
        fields = {"tenant": "acme", "actor": actor, "actor_type": "user", "ip": "203.0.113.201", "user_agent": "Go-http-client/1.1"}
        place = dict(zip(("country", "city", "lat", "lon", "asn"), CITIES[2], strict=True))
        reason = "bad_password" if known else "unknown_user"
        app.say(at(20, 40) + number * 6 + chance.between(0, 3), "auth.login", "failure", fields | place | {"reason": reason})
    return app.lines()


def example_logs() -> dict[str, bytes]:
    """File name → content of every example log, before compression (names that end in ``.gz`` are compressed on writing)."""
    return {"auth.log": auth_log(), "access.log.gz": access_log(), "cloudtrail.json.gz": cloudtrail(), "app.jsonl.gz": app_log()}


def main() -> None:
    """Write the logs."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in example_logs().items():
        # No time stamp within, so that two runs write the same bytes.
        (folder / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)


if __name__ == "__main__":
    main()
