"""What runs by itself: integrations, jobs, health checks. All of one hour at a time."""

from typing import Any

from monitor.simulate.chance import Chance
from monitor.simulate.world import CITIES, HOUR_S, World
from monitor.simulate.writers import Log, encode_base

CLOUD = CITIES[0].net("198.18.200.9", 16509)
KEY = "svc-crm"
"""The key of an integration that every tenant has."""
KEYS = (KEY, "svc-erp", "svc-bi", "svc-mail", "svc-ads", "svc-hr")
"""All keys of a tenant; the others have less to do."""
_INSIDE = {"ip": "10.20.0.7"}


def service(name: str, tenant: str, where: dict[str, Any], actor_type: str = "service", agent: str = "integration/4.2") -> dict[str, Any]:
    """The fields all events of one service account share."""
    return {"tenant": tenant, "actor": name, "actor_type": actor_type, "user_agent": agent, **where}


def machines(log: Log, world: World, hour: int) -> None:
    """Everything that begins in that hour (hours since 1970)."""
    at, day, of_day = hour * HOUR_S, hour // 24, hour % 24
    for tenant in world.tenants:
        chance = Chance(world.settings.seed, "machines", tenant, hour)
        _collector(log, tenant, at)
        for number, key in enumerate(KEYS):
            _integration(log, tenant, at + 17 * number, chance, key)
        if of_day == 2:
            _nightly(log, tenant, at)
        if of_day == 3 and day % 7 == 3:  # in the night to Sunday
            _weekly_backup(log, tenant, at)
        if of_day == 13 and day % 7 == 6:  # Wednesday
            _release(log, tenant, at)


def _request(log: Log, at: float, base: bytes, path: str, route: str, **fields: Any) -> None:
    log.add(at, "api.request", {"method": "GET", "route": route, "path": path, "status": 200, "outcome": "success", **fields}, base)


def _collector(log: Log, tenant: str, at: float) -> None:
    """Sends events once a minute, day and night; and a health check that does not log in."""
    base = encode_base(service("svc-events", tenant, CLOUD.fields()))
    probe = encode_base({"tenant": tenant, "actor_type": "anonymous", "ip": "10.20.0.2", "user_agent": "healthcheck/1.0"})
    for minute in range(60):
        _request(log, at + 60 * minute + 7, base, "/v1/events", "/v1/events", method="POST")
        if minute % 5 == 0:
            _request(log, at + 60 * minute + 3, probe, "/healthz", "/healthz")


def _integration(log: Log, tenant: str, at: float, chance: Chance, key: str) -> None:
    """An API key that asks for three reports all the time, and for another token each hour."""
    base = encode_base(service(key, tenant, CLOUD.fields(), "api_key"))
    log.add(at + 120, "auth.session", {"outcome": "success", "action": "token.refresh"}, base)
    steps = 12 if key == KEY else 3
    for step in range(steps):
        report = chance.whole(1, 3)
        _request(
            log, at + 3600 / steps * step + 130 + chance.between(0, 20), base, f"/v1/reports/{report}", "/v1/reports/{id}", records=200
        )


def _nightly(log: Log, tenant: str, at: float) -> None:
    """Walks through its own 300 objects."""
    base = encode_base(service("svc-inventory", tenant, CLOUD.fields()))
    for number in range(300):
        _request(log, at + 600 + number * 0.9, base, f"/v1/items/{7000 + number}", "/v1/items/{id}", records=1)


def _weekly_backup(log: Log, tenant: str, at: float) -> None:
    """400,000 records within the hour, by an account of its own."""
    base = encode_base(service("svc-backup", tenant, CLOUD.fields()))
    log.add(at, "auth.login", {"outcome": "success"}, base)
    for part in range(40):
        fields = {"outcome": "success", "action": "backup", "target": f"table:{part:02}", "records": 10_000, "bytes": 12_000_000}
        log.add(at + 20 + part * 55, "data.export", fields, base)


def _release(log: Log, tenant: str, at: float) -> None:
    """Infrastructure as code: some policies."""
    base = encode_base(service("svc-iac", tenant, _INSIDE, agent="terraform/1.9"))
    for step in range(8):
        log.add(at + step * 4, "admin.action", {"outcome": "success", "action": "policy.update", "target": f"policy:p{step}"}, base)
