"""What runs by itself: integrations, jobs, health checks, robots. Each is a function of the log and of one day (midnight UTC)."""

from typing import Any

from tests.ordinary.chance import Chance
from tests.ordinary.world import CITIES, DAY_S, HOUR_S, MONDAY, TENANTS, Log, Net, Row

_CLOUD = Net("198.18.200.9", CITIES["Frankfurt"], 16509)
_INSIDE = {"ip": "10.20.0.7"}
BOTS = (
    ("198.18.250.3", 64990, "Mozilla/5.0 (compatible; SearchBot/2.1; +https://search.example.com/bot)"),
    ("198.18.250.77", 64991, "PreviewBot/1.4 (+https://preview.example.net)"),
)


def service(name: str, tenant: str, where: Row | None = None, actor_type: str = "service", agent: str = "integration/4.2") -> Row:
    """The fields all events of one service account share."""
    return {"tenant": tenant, "actor": name, "actor_type": actor_type, "user_agent": agent, **(where or _INSIDE)}


def run(log: Log, chance: Chance, day: float) -> None:
    """All of them for one day; on the day itself the chatty ones are as chatty as they are."""
    today = day == MONDAY
    for number, tenant in enumerate(TENANTS):
        _fixed_rate(log, tenant.name, day, 60 if today and number < 4 else 300)
    _health_checks(log, day)
    _expiring_tokens(log, day)
    _refused_client(log, day, 30 if today else 600)
    _own_objects(log, day, today=today)
    _robots(log, chance, day, 500 if today else 40)
    if day >= MONDAY - 3 * DAY_S:
        _outdated_password(log, day)
    if int(day // DAY_S) % 7 == 4:
        _weekly_backup(log, day)
        _rotate_keys(log, day)
        _audit_settings(log, day)
    if int(day // DAY_S) % 7 not in {2, 3}:
        _deploy(log, day, 40 if today else 8)
        _reports(log, chance, day)


def _request(log: Log, at: float, who: Row, path: str, route: str, **fields: Any) -> None:
    usual = {"method": "GET", "route": route, "path": path, "status": 200, "outcome": "success"}
    log.add(at, "api.request", {**who, **usual, **fields})


def _fixed_rate(log: Log, tenant: str, day: float, every_s: int) -> None:
    who = service(f"svc-events-{tenant}", tenant, _CLOUD.fields())
    hours = (11, 22) if tenant == "garnet" else (0, 24)  # one customer is quiet at night
    for second in range(hours[0] * 3600 + 7, hours[1] * 3600, every_s):
        _request(log, day + second, who, "/v1/events", "/v1/events", method="POST")


def _health_checks(log: Log, day: float) -> None:
    """Asks for one page after another, and does not log in; the old one has long been gone."""
    who = {"tenant": "acme", "actor_type": "anonymous", "ip": "10.20.0.2", "user_agent": "healthcheck/1.0"}
    pages = ("/healthz", "/login", "/v1/ping", "/status", "/docs", "/old-status")
    for second in range(3, 86_400, 60):
        page = pages[second // 60 % len(pages)]
        missing = page == "/old-status"
        _request(log, day + second, who, page, page, status=404 if missing else 200, outcome="failure" if missing else "success")


def _expiring_tokens(log: Log, day: float) -> None:
    """An hour after it was issued a token is refused; the client gets another one and goes on."""
    for name, tenant, offset in (("svc-crm", "cobalt", 120), ("svc-erp", "ember", 900), ("svc-bi", "fjord", 2000)):
        who = service(name, tenant, _CLOUD.fields(), "api_key")
        for hour in range(24):
            at = day + HOUR_S * hour + offset
            for tile in range(3):  # three requests at once find out
                _request(log, at + tile / 10, who, f"/v1/reports/{tile}", "/v1/reports/{id}", status=401, outcome="failure")
            log.add(at + 1, "auth.session", {**who, "outcome": "success", "action": "token.refresh"})
            for tile in range(3):
                _request(log, at + 2 + tile, who, f"/v1/reports/{tile}", "/v1/reports/{id}", records=200)


def _refused_client(log: Log, day: float, every_s: int) -> None:
    """Lost a permission months ago, and nobody looks at its log."""
    who = service("svc-webhooks", "dune", _CLOUD.fields())
    for second in range(11, 86_400, every_s):
        _request(log, day + second, who, "/v1/webhooks/7/test", "/v1/webhooks/{id}/test", status=403, outcome="failure", reason="forbidden")


def _own_objects(log: Log, day: float, *, today: bool) -> None:
    """Walks through its own 300 objects: every hour on the day, once in each night before."""
    who = service("svc-inventory", "borealis", _CLOUD.fields())
    for hour in range(24) if today else (2,):
        for number in range(300):
            at = day + HOUR_S * hour + 600 + number * 0.9
            _request(log, at, who, f"/v1/items/{7000 + number}", "/v1/items/{id}", records=1)


def _robots(log: Log, chance: Chance, day: float, number: int) -> None:
    """Search engines follow old links: a third of what they ask for is gone."""
    for ip, asn, agent in BOTS:
        who = {"tenant": "acme", "actor_type": "anonymous", "user_agent": agent, "ip": ip, "country": "US", "asn": asn}
        at = day + chance.between(0, 60)
        for _ in range(number):
            at += chance.between(20, 2 * 86_000 / number - 20)
            page = f"/docs/{chance.pick(('guide', 'api', 'blog'))}/{chance.pick(('intro', 'setup', 'limits', 'faq'))}-{chance.whole(1, 90)}"
            gone = chance.yes(0.33)
            if at < day + DAY_S:
                log.add(
                    at,
                    "api.request",
                    {**who, "method": "GET", "path": page, "status": 404 if gone else 200, "outcome": "failure" if gone else "success"},
                )


def _outdated_password(log: Log, day: float) -> None:
    """A cron job tries its old password every half hour since Friday."""
    who = service("svc-cron", "ember", {"ip": "10.20.4.9"})
    for second in range(0, 86_400, 1800):
        log.add(day + second + 2, "auth.login", {**who, "outcome": "failure", "reason": "bad_password"})


def _weekly_backup(log: Log, day: float) -> None:
    """400,000 records within the hour, by an account of its own."""
    who = service("svc-backup", "acme", _CLOUD.fields())
    log.add(day + 2 * HOUR_S, "auth.login", {**who, "outcome": "success"})
    for part in range(40):
        fields = {"outcome": "success", "action": "backup", "target": f"table:{part:02}", "records": 10_000, "bytes": 12_000_000}
        log.add(day + 2 * HOUR_S + 20 + part * 55, "data.export", {**who, **fields})


def _rotate_keys(log: Log, day: float) -> None:
    """New keys for twelve services, then the old ones go."""
    who = service("svc-rotator", "acme")
    for number in range(12):
        at = day + 4 * HOUR_S + number * 30
        log.add(at, "credential.change", {**who, "outcome": "success", "action": "api_key.create", "target": f"api_key:k{number}-new"})
        log.add(
            at + 900, "credential.change", {**who, "outcome": "success", "action": "api_key.delete", "target": f"api_key:k{number}-old"}
        )


def _audit_settings(log: Log, day: float) -> None:
    """The pipeline sets what it always sets: longer retention and one more place the audit log goes to."""
    who = service("svc-iac", "cobalt")
    for at, action in ((0, "retention.extend"), (5, "stream.create")):
        log.add(day + 9 * HOUR_S + at, "audit.log_change", {**who, "outcome": "success", "action": action, "target": "audit_log:main"})


def _deploy(log: Log, day: float, number: int) -> None:
    """Infrastructure as code: policies and a role, at every release."""
    who = service("svc-iac", "cobalt", agent="terraform/1.9")
    for step in range(number):
        fields = {"outcome": "success", "action": "policy.update", "target": f"policy:p{step}"}
        log.add(day + 14 * HOUR_S + step * 4, "admin.action", {**who, **fields})
    log.add(day + 14.1 * HOUR_S, "admin.action", {**who, "outcome": "success", "action": "role.grant", "target": "user:svc-events-cobalt"})


def _reports(log: Log, chance: Chance, day: float) -> None:
    """A dashboard server asks the same twelve things every quarter of an hour of the working day."""
    who = service("svc-dashboards", "ember", _CLOUD.fields())
    for quarter in range(36):
        for tile in range(4):
            text = f"SELECT metric, value FROM board_{tile} WHERE day = '{quarter}' LIMIT 1000"
            at = day + 7 * HOUR_S + quarter * 900 + tile * 2
            log.add(at, "data.query", {**who, "outcome": "success", "query": text, "records": chance.whole(100, 1000)})
