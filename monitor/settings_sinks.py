"""Where alerts go: the settings of every kind of sink."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from monitor.settings_delivery import DeliverySettings, NotifySettings, StateSettings
from schemas.errors import ConfigurationError
from schemas.export import ExportName
from schemas.severity import Severity

MAX_SECRET_BYTES = 65_536
"""No secret is longer; a larger file is another one than was meant."""
MAX_URL_CHARS = 2_048
MIN_SIGNING_SECRET = 16
"""Characters; a shorter secret can be guessed from one signed request."""

PagerDutySeverity = Literal["critical", "error", "warning", "info"]

PAGERDUTY_SEVERITIES: dict[Severity, PagerDutySeverity] = {
    "critical": "critical",
    "high": "error",
    "medium": "warning",
    "low": "info",
    "info": "info",
}
RESERVED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Headers that are watchfloor's own business, or would change where a request ends; beside them all ``X-Watchfloor-…``."""

_FORMAT = "How alerts are written: as watchfloor's own, as OCSF Detection Findings, or as documents of the Elastic Common Schema."
_PRIVATE = (
    "Private addresses that may be sent to: a list of networks such as 192.0.2.0/24, or `true` for all private and loopback ones. "
    "Link-local addresses only by a network, the metadata services of clouds only by their own address."
)
_CA = "File of certificates (PEM) that are trusted instead of the usual ones."


def url_problem(url: str, schemes: tuple[str, ...] = ("https", "http")) -> str | None:
    """What is wrong with an address, without a part of it; ``None`` when nothing is."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if not url.isascii() or not url.isprintable() or " " in url:
        return "holds characters that no address has; write others as %xx"
    if len(url) > MAX_URL_CHARS:
        return f"is too long for an address; use at most {MAX_URL_CHARS} characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"is no address; write it as {wanted}host/…"
    if parts.scheme not in schemes or not host or port == 0:
        return f"is no address that can be sent to; write it as {wanted}host/…"
    if parts.username is not None or parts.password is not None:
        return "holds a name or password before the host; give them in a setting of their own"
    return None


def _check_url(url: str) -> str:
    problem = url_problem(url)
    if problem is not None:
        raise ValueError(problem)
    return url


def _check_secret_url(url: SecretStr) -> SecretStr:
    _check_url(url.get_secret_value())
    return url


Url = Annotated[str, AfterValidator(_check_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_check_secret_url)]
"""Whoever knows the address of a webhook can send to it: the whole of it is a secret."""


def _check_networks(given: object) -> object:
    """``true``, ``false`` or a list of networks, with one error for what is neither."""
    if isinstance(given, bool):
        return given
    items = [given] if isinstance(given, str) else given
    if not isinstance(items, list | tuple):
        raise ValueError("is neither true nor a list of networks; use one of the two")  # noqa: TRY004 - pydantic wants ValueError
    for number, item in enumerate(items):
        try:
            ip_network(item if isinstance(item, str) else "")
        except ValueError:
            raise ValueError(f"item {number} is no network; write it as 192.0.2.0/24, the bits after the prefix 0") from None
    return tuple(items)


AllowPrivate = Annotated[bool | tuple[str, ...], BeforeValidator(_check_networks)]


def header_problem(value: str) -> str | None:
    """What is wrong with the value of a header; ``None`` when nothing is."""
    return None if value.isascii() and value.isprintable() and value else "has characters that a header cannot have; take them out"


def _check_header_names(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    seen: set[str] = set()
    for number, (name, value) in enumerate(headers.items()):
        low = name.lower()
        if re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", name) is None:
            raise ValueError(f"name {number + 1} is no name of a header; use letters, digits and -")
        if low in RESERVED_HEADERS or low.startswith(("x-watchfloor-", "proxy-")):
            raise ValueError(f"{low} is set by watchfloor; take it out")
        if low in seen:
            raise ValueError(f"{low} is given twice; keep one")
        if isinstance(value, SecretStr) and (problem := header_problem(value.get_secret_value())):
            raise ValueError(f"{low} {problem}")
        seen.add(low)
    return headers


def _exactly_one(model: Any, *names: str) -> str:
    """The one of these settings that is given."""
    given = [name for name in names if getattr(model, name) is not None]
    if not given:
        raise ValueError(f"{names[0]}: is missing; give it, or {' or '.join(names[1:])}")
    if len(given) > 1:
        raise ValueError(f"{given[1]}: {given[0]} is given as well; keep one")
    return given[0]


def _at_most_one(model: Any, *names: str) -> None:
    if any(getattr(model, name) is not None for name in names):
        _exactly_one(model, *names)


def _check_plain(allowed: object, name: str, url: SecretStr | str | None) -> None:
    """Refuse to send in the clear across the internet."""
    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    if text is not None and not allowed and urlsplit(text).scheme == "http":
        raise ValueError(f"{name}: is http, which anybody on the way can read; use https, or allow its network in allow_private")


def secret_of(given: SecretStr | None, file: Path | None, setting: str) -> str | None:
    """A secret that is given in the configuration, or lies in a file (blanks and line ends around it are taken off).

    Raises ``ConfigurationError``, which names ``setting`` and never what the file holds.
    """
    if given is not None:
        return given.get_secret_value()
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as exc:
        why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
        raise ConfigurationError(f"{setting}_file: cannot be read ({why}); name a file that this user may read") from None
    if len(content) > MAX_SECRET_BYTES:
        raise ConfigurationError(f"{setting}_file: is too large for a secret; name another file")
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{setting}_file: is no text; name another file") from None
    if not text:
        raise ConfigurationError(f"{setting}_file: is empty; write the secret into it")
    return text


class SlackSink(NotifySettings):
    """Messages in a Slack channel: through an incoming webhook, or as an app that edits its own messages."""

    type: Literal["slack"] = Field(description="Kind of sink.")
    webhook_url: SecretUrl | None = Field(default=None, description="Address of an incoming webhook.")
    webhook_url_file: Path | None = Field(default=None, description="File that holds it.")
    bot_token: SecretStr | None = Field(default=None, min_length=1, description="Token of an app (xoxb-…) with the scope chat:write.")
    bot_token_file: Path | None = Field(default=None, description="File that holds it.")
    channel: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = Field(
        default=None, description="Channel the app posts to, its id (C…) or name; only with a token."
    )
    api_url: Url = Field(default="https://slack.com/api", description="Where Slack's Web API is; used with a token.")
    allow_private: AllowPrivate = Field(default=False, description=_PRIVATE)
    ca_file: Path | None = Field(default=None, description=_CA)

    @model_validator(mode="after")
    def _check(self) -> Self:
        way = _exactly_one(self, "webhook_url", "webhook_url_file", "bot_token", "bot_token_file")
        if way.startswith("bot_token") and self.channel is None:
            raise ValueError("channel: is missing; name the channel the app posts to")
        if way.startswith("webhook") and self.channel is not None:
            raise ValueError("channel: a webhook has its own channel; take this out")
        _check_plain(self.allow_private, "webhook_url", self.webhook_url)
        _check_plain(self.allow_private, "api_url", self.api_url)
        return self


def _check_routing_key(key: SecretStr) -> SecretStr:
    if re.fullmatch(r"[A-Za-z0-9]{32}", key.get_secret_value()) is None:
        raise ValueError("is no key of an Events API v2 integration, which has 32 letters and digits; copy it again")
    return key


def _over_usual(given: object) -> object:
    return {**PAGERDUTY_SEVERITIES, **given} if isinstance(given, Mapping) else given


class PagerDutySink(NotifySettings):
    """Incidents in PagerDuty, through the Events API v2."""

    type: Literal["pagerduty"] = Field(description="Kind of sink.")
    routing_key: Annotated[SecretStr, AfterValidator(_check_routing_key)] | None = Field(
        default=None, description="Integration key of a service or an event orchestration."
    )
    routing_key_file: Path | None = Field(default=None, description="File that holds it.")
    url: Url = Field(default="https://events.pagerduty.com/v2/enqueue", description="Where events are sent.")
    severities: Annotated[dict[Severity, PagerDutySeverity], BeforeValidator(_over_usual)] = Field(
        default=PAGERDUTY_SEVERITIES, description="Severity of an alert to severity in PagerDuty; what is not given stays as it is."
    )
    allow_private: AllowPrivate = Field(default=False, description=_PRIVATE)
    ca_file: Path | None = Field(default=None, description=_CA)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _exactly_one(self, "routing_key", "routing_key_file")
        _check_plain(self.allow_private, "url", self.url)
        return self


def _check_signing_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < MIN_SIGNING_SECRET:
        raise ValueError(f"is too short; give {MIN_SIGNING_SECRET} or more characters")
    return secret


class WebhookSink(DeliverySettings):
    """Every version of every alert as JSON to an address of your own, signed if there is a secret."""

    type: Literal["webhook"] = Field(description="Kind of sink.")
    url: SecretUrl | None = Field(default=None, description="Address that is posted to; it is never shown, for it may hold a token.")
    url_file: Path | None = Field(default=None, description="File that holds it.")
    secret: Annotated[SecretStr, AfterValidator(_check_signing_secret)] | None = Field(
        default=None, description="What requests are signed with. Absent: they are not."
    )
    secret_file: Path | None = Field(default=None, description="File that holds it.")
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_header_names)] = Field(
        default={}, description="Further headers, e.g. Authorization."
    )
    header_files: Annotated[dict[str, Path], AfterValidator(_check_header_names)] = Field(
        default={}, description="Further headers whose values lie in files."
    )
    format: ExportName = Field(default="native", description=_FORMAT)
    allow_private: AllowPrivate = Field(default=False, description=_PRIVATE)
    ca_file: Path | None = Field(default=None, description=_CA)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _exactly_one(self, "url", "url_file")
        _at_most_one(self, "secret", "secret_file")
        twice = {name.lower() for name in self.headers} & {name.lower() for name in self.header_files}
        if twice:
            raise ValueError(f"header_files: {min(twice)} is among headers as well; keep one")
        _check_plain(self.allow_private, "url", self.url)
        return self


class AlertmanagerSink(StateSettings):
    """What fires now, to a Prometheus Alertmanager."""

    type: Literal["alertmanager"] = Field(description="Kind of sink.")
    url: Url = Field(description="Address of Alertmanager, without /api/v2/alerts.")
    username: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = Field(
        default=None, description="For basic authentication."
    )
    password: SecretStr | None = Field(default=None, description="Its password.")
    password_file: Path | None = Field(default=None, description="File that holds it.")
    bearer_token: SecretStr | None = Field(default=None, min_length=1, description="For authentication by token.")
    bearer_token_file: Path | None = Field(default=None, description="File that holds it.")
    ca_file: Path | None = Field(default=None, description=_CA)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _at_most_one(self, "password", "password_file", "bearer_token", "bearer_token_file")
        has_password = self.password is not None or self.password_file is not None
        if has_password and self.username is None:
            raise ValueError("username: is missing; give the name that belongs to the password")
        if self.username is not None and not has_password:
            raise ValueError("password: is missing; give it, or password_file")
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise ValueError("username: cannot have a colon or what cannot be printed; use another")
        if "?" in self.url or "#" in self.url:
            raise ValueError("url: has a query; give the address alone")
        return self


class KafkaSinkSettings(DeliverySettings):
    """Every version of every alert as a record of a Kafka topic, through the connection of the section `kafka`."""

    type: Literal["kafka"] = Field(description="Kind of sink.")
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = Field(description="Topic that alerts are written to.")
    format: ExportName = Field(default="native", description=_FORMAT)


class FileSink(DeliverySettings):
    """Alerts as lines of JSON in a file."""

    type: Literal["file"] = Field(description="Kind of sink.")
    path: Path = Field(description="File the alerts are added to, one JSON object a line.")
    format: ExportName = Field(default="native", description=_FORMAT)
    fsync: bool = Field(default=False, description="Whether each batch is on the disk itself before it counts as delivered.")


class StdoutSink(DeliverySettings):
    """Alerts as lines of JSON on standard output."""

    type: Literal["stdout"] = Field(description="Kind of sink.")
    format: ExportName = Field(default="native", description=_FORMAT)


SinkSettings = Annotated[
    SlackSink | PagerDutySink | WebhookSink | AlertmanagerSink | KafkaSinkSettings | FileSink | StdoutSink,
    Field(discriminator="type"),
]
"""Any of them; ``type`` says which."""
