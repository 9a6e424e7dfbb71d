"""Kafka: the brokers, who may connect to them and how, and the topics that are read."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from detectors.settings import Strict
from monitor.settings_follow import LiveFormat, TenantName
from monitor.settings_sinks import secret_of, url_problem
from schemas.errors import RejectError
from schemas.stamps import from_datetime

Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"]
PartitionKey = Literal["none", "tenant", "actor", "ip", "session"]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=249, pattern=r"^[\x21-\x7e]+$")]
"""A name without blanks, such as that of a group."""


def _split(given: object) -> object:
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


def server_of(text: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets. Raises ``ValueError``.

    >>> server_of("kafka.example.com:9092"), server_of("[2001:db8::1]:9093")
    (('kafka.example.com', 9092), ('2001:db8::1', 9093))
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})", text)
    if match is None or not 0 < int(match[3]) < 65_536:
        raise ValueError("is no server; write it as host:port, e.g. kafka.example.com:9092")
    return match[1] or match[2], int(match[3])


def _check_server(text: str) -> str:
    server_of(text)
    return text


Servers = Annotated[tuple[Annotated[str, AfterValidator(_check_server)], ...], BeforeValidator(_split), Field(min_length=1)]


def _read_start(given: object) -> object:
    if given in {"latest", "earliest"}:
        return given
    moment = given
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given.strip())
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("is no start; use latest, earliest, or a time with its zone such as 2026-01-31T12:00:00Z")
    try:
        from_datetime(moment)
    except (RejectError, OverflowError):
        raise ValueError("is out of range; use a moment from 1990 to 2099") from None
    return moment


class KafkaTopic(Strict):
    """One topic, and what its records are."""

    name: TopicName = Field(description="Name of the topic.")
    format: LiveFormat = Field(default="native", description="Format of its records.")
    tenant: TenantName | None = Field(default=None, description="Tenant of its records that name none.")
    partition_key: PartitionKey = Field(
        default="none",
        description="What all records of one partition have in common, as its producers choose partitions. Only asked for with `instances`.",
    )


class KafkaTls(Strict):
    """Encryption of the connections."""

    enabled: bool = Field(default=False, description="Whether the brokers are spoken to in TLS.")
    ca_file: Path | None = Field(default=None, description="File of certificates (PEM) that are trusted instead of the usual ones.")
    cert_file: Path | None = Field(default=None, description="Certificate (PEM) that watchfloor shows, with those above it.")
    key_file: Path | None = Field(default=None, description="Its private key (PEM); absent: it is in `cert_file`.")
    key_password: SecretStr | None = Field(default=None, description="What the key is encrypted with.")
    key_password_file: Path | None = Field(default=None, description="File that holds it.")
    min_version: Literal["1.2", "1.3"] = Field(default="1.2", description="Oldest version of TLS that will do; 1.3 is used where both can.")
    check_hostname: bool = Field(
        default=True, description="Whether the certificate must be of the host that was asked for. Without, whoever has any may pose as it."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.enabled:
            given = [name for name in ("ca_file", "cert_file", "key_file", "key_password", "key_password_file") if getattr(self, name)]
            if given:
                raise ValueError(f"{given[0]}: is of no use without TLS; set enabled: true")
        if self.cert_file is None and self.key_file is not None:
            raise ValueError("cert_file: is missing; name the certificate that belongs to key_file")
        if self.key_password is not None and self.key_password_file is not None:
            raise ValueError("key_password_file: key_password is given as well; keep one")
        return self


class KafkaOauth(Strict):
    """Where tokens come from: a file that something else keeps fresh, or a token endpoint (client credentials)."""

    token_file: Path | None = Field(default=None, description="File that holds the current token; read anew for each connection.")
    token_url: str | None = Field(default=None, description="Token endpoint, https.")
    client_id: Words | None = Field(default=None, description="Who asks there.")
    client_secret: SecretStr | None = Field(default=None, description="Its secret.")
    client_secret_file: Path | None = Field(default=None, description="File that holds it.")
    scope: str | None = Field(default=None, max_length=1_000, description="What the token is asked for.")
    ca_file: Path | None = Field(default=None, description="File of certificates (PEM) that are trusted at the token endpoint.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.token_file is None) == (self.token_url is None):
            raise ValueError("token_file: give it, or token_url with client_id and client_secret; not both")
        if self.token_url is not None:
            problem = url_problem(self.token_url, ("https",))
            if problem is not None:
                raise ValueError(f"token_url: {problem}")
            if self.client_id is None:
                raise ValueError("client_id: is missing; give the name watchfloor has at the token endpoint")
            if (self.client_secret is None) == (self.client_secret_file is None):
                raise ValueError("client_secret: give it, or client_secret_file; exactly one of the two")
        return self


class KafkaSasl(Strict):
    """Who watchfloor is to the brokers."""

    mechanism: Mechanism = Field(default="SCRAM-SHA-512", description="How the brokers are shown who it is.")
    username: Words | None = Field(default=None, description="Name of the user.")
    password: SecretStr | None = Field(default=None, description="Password of the user.")
    password_file: Path | None = Field(default=None, description="File that holds it.")
    oauth: KafkaOauth | None = Field(default=None, description="Where tokens come from, for OAUTHBEARER.")
    allow_plaintext: bool = Field(default=False, description="Whether a password or token may be sent without TLS.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mechanism == "OAUTHBEARER":
            if self.oauth is None:
                raise ValueError("oauth: is missing; say where tokens come from")
            if self.username or self.password or self.password_file:
                raise ValueError("mechanism: OAUTHBEARER has no username and password; take them out, or use another mechanism")
            return self
        if self.oauth is not None:
            raise ValueError("oauth: is for OAUTHBEARER only; take it out, or change mechanism")
        if self.username is None:
            raise ValueError("username: is missing; give the name of the user")
        if (self.password is None) == (self.password_file is None):
            raise ValueError("password: give it, or password_file; exactly one of the two")
        return self

    def secret(self) -> str | None:
        """The password, from wherever it is given. Raises ``ConfigurationError``."""
        return secret_of(self.password, self.password_file, "kafka.sasl.password")


class KafkaSettings(Strict):
    """The section ``kafka``."""

    bootstrap_servers: Servers = Field(description="Brokers to begin with, as host:port; several as a list, or with commas between them.")
    topics: tuple[KafkaTopic, ...] = Field(default=(), description="What is read. Empty: nothing, only sinks write.")
    group_id: Words = Field(default="watchfloor", description="Consumer group; of all processes in it, one works and the others stand by.")
    client_id: Words = Field(default="watchfloor", description="How watchfloor calls itself in the logs of the brokers.")
    # Latest, because the first start on a topic with weeks of records would notify people of weeks of alerts. What comes later loses nothing:
    # once there is a checkpoint it decides, and partitions added later are read from their beginning.
    start: Annotated[Literal["latest", "earliest"] | datetime, BeforeValidator(_read_start)] = Field(
        default="latest",
        description="Where to begin in a topic that no checkpoint knows: `latest`, `earliest`, or the time (with its zone) of the first record.",
    )
    max_records: int = Field(default=2_000, ge=1, le=100_000, description="Most records of one partition that are taken at a time.")
    partition_fetch_bytes: int = Field(
        default=1_048_576, ge=1_024, le=134_217_728, description="How much of one partition is asked for at a time, as it is compressed."
    )
    fetch_bytes: int = Field(
        default=16_777_216, ge=1_024, le=1_073_741_824, description="How much is asked for from one broker at a time, as it is compressed."
    )
    fetch_wait_s: float = Field(
        default=0.5, ge=0.01, le=30, description="How long a broker may wait for records before it says there are none."
    )
    session_timeout_s: float = Field(
        default=10.0, ge=0.5, le=300, description="How long a process may be silent before another one of the group takes over."
    )
    request_timeout_s: float = Field(default=15.0, ge=1, le=300, description="How long the brokers may take for an answer.")
    metadata_age_s: float = Field(default=30.0, ge=0.2, le=3_600, description="How often is looked for new partitions and topics.")
    instances: int = Field(
        default=1,
        ge=1,
        le=1_024,
        description="Parts the partitions are split into, each for a process (with stand-bys) and a store of its own.",
    )
    instance: int = Field(default=0, ge=0, le=1_023, description="Which part this process reads, from 0.")
    tls: KafkaTls = Field(default=KafkaTls(), description="Encryption of the connections.")
    sasl: KafkaSasl | None = Field(default=None, description="Who watchfloor is to the brokers. Absent: nobody in particular.")
    dead_letter_topic: TopicName | None = Field(
        default=None, description="Topic that rejected records are written to, whole, with the reason and where they came from."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.instance >= self.instances:
            raise ValueError(f"instance: {self.instance} is none of {self.instances}; count from 0 to {self.instances - 1}")
        names: set[str] = set()
        for number, topic in enumerate(self.topics):
            if topic.name in names:
                raise ValueError(f"topics.{number}.name: is there twice; keep one")
            if topic.name == self.dead_letter_topic:
                raise ValueError("dead_letter_topic: is read as well, so that rejects would come back for ever; use another topic")
            names.add(topic.name)
        if self.sasl is not None and not self.tls.enabled and not self.sasl.allow_plaintext:
            raise ValueError("sasl.allow_plaintext: a password or token would be readable on the way; set tls.enabled, or this one to true")
        return self

    @property
    def group(self) -> str:
        """Name of the consumer group of this process; each part of the partitions has one of its own."""
        return self.group_id if self.instances == 1 else f"{self.group_id}-{self.instance}-of-{self.instances}"
