"""The configuration: what can be set, checked whole before anything starts."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, StringConstraints, ValidationError, create_model

from detectors.registry import DETECTORS, DetectorClass
from detectors.settings import DetectorSettings, Strict
from monitor.pipeline.allow import AllowEntry, Asn
from monitor.settings_delivery import Route
from monitor.settings_errors import problems
from monitor.settings_follow import FollowSettings, StandardInputSettings
from monitor.settings_http import HttpSettings
from monitor.settings_kafka import KafkaSettings
from monitor.settings_shape import is_secret, spot_of
from monitor.settings_simulate import SimulateSettings
from monitor.settings_sinks import SinkSettings
from monitor.settings_sources import overlay, read_file, write_yaml
from schemas.errors import ConfigurationError
from schemas.event import Network

MASK = "********"
"""Stands for every secret that is set."""

Text = Annotated[str, StringConstraints(min_length=1)]
NetworkKind = Literal[Network, "ordinary"]


def _once(networks: object) -> object:
    """Refuse a network that is given as a number and as ``AS64500``: one of the two would be lost."""
    if isinstance(networks, Mapping):
        seen: set[str] = set()
        for asn in networks:
            name = re.sub(r"^AS", "", str(asn).strip(), flags=re.IGNORECASE)
            if name in seen:
                raise ValueError(f"AS{name} is given twice; keep one")
            seen.add(name)
    return networks


class GeographySettings(Strict):
    """Where addresses are."""

    city_db: Path | None = Field(
        default=None,
        description="City or Country database in MaxMind DB format. Absent: only what events say themselves is known of places.",
    )
    asn_db: Path | None = Field(default=None, description="ASN database in MaxMind DB format; may be the same file.")
    cache_size: int = Field(default=65_536, ge=2, le=10_000_000, description="Addresses whose place is remembered; about 0.4 KiB each.")
    networks: Annotated[dict[Asn, NetworkKind], BeforeValidator(_once)] = Field(
        default={},
        description="Network operator (64500 or AS64500) to kind of network, over the built-in table; `ordinary` takes one off it.",
    )


class StoreSettings(Strict):
    """Where the service remembers what it has read, learned and still has to send."""

    path: Path = Field(default=Path("watchfloor.db"), description="SQLite database on a local disk; made when it is not there.")
    checkpoint_interval_s: float = Field(
        default=5.0,
        ge=0.1,
        le=300,
        description="Time between two checkpoints while there is no alert; an alert is made safe at once. So much is read again after a crash.",
    )
    adopt: bool = Field(
        default=False,
        description="Whether to go on with a store of a configuration that also reads other inputs, or of another Kafka cluster, without those positions.",
    )
    keep_alerts_s: float = Field(
        default=7 * 86_400.0, ge=3_600, le=3_650 * 86_400, description="How long delivered alerts stay in the store."
    )


class ServiceSettings(Strict):
    """How the service behaves as a process."""

    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="Form of the log on standard error; `auto`: text on a terminal, else JSON lines."
    )
    drain_s: float = Field(
        default=10.0, ge=0, le=300, description="Longest time that what is due is still sent when the service is stopped."
    )
    idle_s: float = Field(
        default=2.0, ge=0.1, le=3_600, description="An input that has nothing for so long no longer holds the clock of the stream back."
    )
    max_lag_s: float = Field(
        default=300.0, ge=1, le=86_400, description="How far behind the events the service may be and still count as ready."
    )
    rejects_file: Path | None = Field(
        default=None, description="File that rejected records are added to, whole, with the reason; for inputs that are not of Kafka."
    )
    warm_start: Path | None = Field(
        default=None,
        description="State file of `replay --state-out` to begin with; used only while the store has no checkpoint. See [warm start](warm-start.md).",
    )


def _check_name(name: str) -> str:
    # Names of sinks become labels of metrics.
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", name) is None:
        raise ValueError("does not fit as a name; use up to 32 of a-z, A-Z, 0-9, _ and -, the first a letter")
    return name


def _check_printable(text: str) -> str:
    # Formats refuse such a tenant too: control characters separate it from the entity in keys.
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed; take them out")
    return text


def _detector_field(cls: DetectorClass) -> Any:
    model = cls.Settings
    return model, Field(default=model.model_validate({}), description=cls.sees)


if TYPE_CHECKING:
    Detectors = Strict
else:
    Detectors = create_model(
        "Detectors",
        __base__=Strict,
        __doc__="One section for each detector.",
        **{name: _detector_field(cls) for name, cls in DETECTORS.items()},
    )


class Settings(Strict):
    """Everything that can be set. Every setting has a default."""

    allowed_lateness_s: float = Field(
        default=1.0,
        ge=0,
        le=86_400,
        description="Disorder of events that is put right, in event time. Alerts wait that long; what comes later still is marked late.",
    )
    tenant: Annotated[Text, AfterValidator(_check_printable)] | None = Field(default=None, description="Tenant of records that name none.")
    dedupe_events: int = Field(
        default=200_000,
        ge=1,
        le=100_000_000,
        description="Events whose ids are remembered (at most twice as many), so that a repeated one counts once; 50 MB at the default.",
    )
    max_record_bytes: int = Field(
        default=1_048_576, ge=1_024, le=67_108_864, description="Longest record that is read; a longer one is rejected."
    )
    runbooks: Text = Field(default="deploy/runbooks", description="Folder or URL of the runbooks that alerts point to.")
    max_open_alerts: int = Field(
        default=50_000,
        ge=100,
        le=10_000_000,
        description="Alerts that may be open at a time; beyond that the one open longest is closed, and counted.",
    )
    geography: GeographySettings = Field(default=GeographySettings(), description="Where addresses are.")
    detectors: Detectors = Field(default=Detectors(), description="What is looked for, and its limits.")
    allow: tuple[AllowEntry, ...] = Field(default=(), description="Events that some detectors, or all, do not see.")
    kafka: KafkaSettings | None = Field(default=None, description="Kafka: brokers, and the topics the service reads.")
    follow: tuple[FollowSettings, ...] = Field(default=(), description="Log files that the service reads as they grow.")
    standard_input: StandardInputSettings | None = Field(default=None, description="Records that the service reads from standard input.")
    simulate: SimulateSettings | None = Field(default=None, description="Made-up traffic with attacks, to see the service at work.")
    store: StoreSettings = Field(default=StoreSettings(), description="Where the service keeps what must survive it.")
    service: ServiceSettings = Field(default=ServiceSettings(), description="How the service behaves as a process.")
    http: HttpSettings = Field(default=HttpSettings(), description="The port for metrics, health and alerts.")
    sinks: dict[Annotated[str, AfterValidator(_check_name)], SinkSettings] = Field(
        default={}, description="Where alerts go, each under a name of your own."
    )
    routes: tuple[Route, ...] = Field(default=(), description="Which alerts go to which sinks; the first that matches. Empty: all to all.")

    def of(self, detector: str) -> DetectorSettings:
        """The settings of one detector, by its name in the registry."""
        settings: DetectorSettings = getattr(self.detectors, detector)
        return settings


ROOT = spot_of(Settings)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The configuration of a file (``None``: of no file) with the environment's ``WATCHFLOOR__…`` over it.

    Raises ``ConfigurationError``: one line for each problem, as ``path.to.key: what is wrong; cure``.
    """
    both = overlay({} if path is None else read_file(path), environ, ROOT)
    found = list(both.problems)
    try:
        settings = Settings.model_validate(both.data)
    except ValidationError as exc:
        found += problems(exc, ROOT, both.data, both.origins)
    if found:
        raise ConfigurationError("\n".join(found))
    return settings


def as_dict(settings: BaseModel) -> dict[str, Any]:
    """All settings, JSON-ready, secrets masked."""
    return {name: _plain(name, value) for name, value in settings.model_dump().items()}


_OWN_DEFAULTS = {"kafka", "follow", "standard_input", "simulate", "sinks", "routes"}
"""Sections that are absent by default, so that their settings differ from nothing."""


def as_text(settings: Settings) -> str:
    """What differs from the defaults, as YAML that ``load`` reads, secrets masked."""
    changed = _difference(as_dict(settings), as_dict(Settings()))
    for name in _OWN_DEFAULTS & changed.keys():
        changed[name] = _plain(name, settings.model_dump(exclude_defaults=True)[name])
    if not changed:
        return "# Everything is at its default.\n"
    return "# Only what differs from the defaults is listed.\n" + write_yaml(changed)


def _plain(name: str, value: Any) -> Any:
    """A value as JSON has it. Sets are sorted, so that the text is the same in every process."""
    if isinstance(value, Mapping):
        # What is below a secret name is as secret; numbers are limits (``by_key.threshold``), not secrets.
        return {str(key): _plain(name if is_secret(name) else str(key), inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(name, item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, SecretStr) or (isinstance(value, str | bytes | Path) and is_secret(name)):
        return MASK
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, Path) else value


def _difference(data: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, value in data.items():
        usual = default.get(name)
        if value == usual and name in default:
            continue
        if isinstance(value, Mapping) and isinstance(usual, Mapping) and usual:
            changed[name] = _difference(value, usual)
        elif isinstance(value, list):
            changed[name] = [_without_none(item) if isinstance(item, Mapping) else item for item in value]
        else:
            changed[name] = value
    return changed


def _without_none(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if value is not None}
