"""Tries a connection to Kafka before it is used for real, so that what is wrong with it is said in words that name the setting to change.

The library tells one kind of failure from another only in its logs. Here each server is asked in turn, step by step: the name, the port,
TLS, the user, the topics, the group.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiokafka.errors as kafka
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.metadata import MetadataRequest

from monitor.kafka_security import Tokens, connection
from monitor.settings_kafka import KafkaSettings, server_of
from schemas.errors import ConfigurationError, InputError

MAX_BROKERS = 3
"""Brokers besides the first ones that are tried; one that can be reached is enough to begin."""
MAX_NAMES = 20
"""Topics that an error lists."""
STEP_S = 10.0
"""Longest wait for one server, also where a request may take longer later on."""

CLOSE_S = 1.0

_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

Problem = ConfigurationError | InputError


class Named(NamedTuple):
    """A topic that must be there, and the setting that names it."""

    topic: str
    setting: str


async def probe(settings: KafkaSettings, topics: Sequence[Named], group: str | None = None) -> None:
    """Connect, and look whether these topics and the group can be used.

    Raises ``ConfigurationError`` for what only a change of settings (here or at the brokers) can cure, and ``InputError`` for what cannot be
    reached at present. Returns in bounded time.
    """
    options = connection(settings)
    options["request_timeout_ms"] = min(options["request_timeout_ms"], round(STEP_S * 1000))
    options.pop("bootstrap_servers"), options.pop("metadata_max_age_ms"), options.pop("retry_backoff_ms")
    problems: list[Problem] = []
    for server in settings.bootstrap_servers:
        try:
            async with asyncio.timeout(STEP_S):
                await _probe_one(settings, server, options, topics, group)
        except TimeoutError:
            problems.append(
                InputError(f"kafka.bootstrap_servers: {server} does not answer within {STEP_S:g} s; check host, port and network")
            )
        except (ConfigurationError, InputError) as exc:
            problems.append(exc)
        else:
            return
    # What settings can cure is worth more than that another server is down.
    raise next((problem for problem in problems if isinstance(problem, ConfigurationError)), problems[0])


async def _probe_one(settings: KafkaSettings, server: str, options: dict[str, Any], topics: Sequence[Named], group: str | None) -> None:
    conn = await _connect(settings, server, options)
    try:
        brokers = await _check_topics(settings, conn, server, topics)
        if group is not None:
            await _check_group(settings, conn, server, group)
    finally:
        await conn.close()
    await _check_brokers(server, brokers, options)


async def _connect(settings: KafkaSettings, server: str, options: dict[str, Any]) -> Any:
    host, port = server_of(server)
    try:
        return await _opened(host, port, options)
    except (TimeoutError, OSError, kafka.KafkaError) as exc:
        tokens = options.get("sasl_oauth_token_provider")
        if isinstance(tokens, Tokens) and tokens.problem is not None:
            raise tokens.problem from None
        raise explained(exc, settings, server) from None


async def _opened(host: str, port: int, options: dict[str, Any]) -> Any:
    """A connection; one that fails is closed for good before its error is raised, as the loop may end with it."""
    conn = AIOKafkaConnection(host, port, **options)
    try:
        await conn.connect()
    except BaseException:
        if conn._protocol is not None:  # noqa: SLF001 - the library closes it, but nobody can wait for that
            await asyncio.wait([conn._closed_fut], timeout=CLOSE_S)  # noqa: SLF001
        raise
    return conn


async def _ask(settings: KafkaSettings, conn: Any, server: str, request: Any) -> Any:
    try:
        return await conn.send(request)
    except (TimeoutError, OSError, kafka.KafkaError) as exc:
        raise explained(exc, settings, server) from None


async def _check_topics(settings: KafkaSettings, conn: Any, server: str, topics: Sequence[Named]) -> list[tuple[str, int]]:
    """The brokers' own addresses, when all topics are there and may be looked at."""
    names = [named.topic for named in topics]
    answer = await _ask(settings, conn, server, MetadataRequest(names, allow_auto_topic_creation=False))
    errors = {entry[1]: kafka.for_code(entry[0]) for entry in answer.topics}
    for named in topics:
        error = errors.get(named.topic, kafka.UnknownTopicOrPartitionError)
        if error is kafka.TopicAuthorizationFailedError:
            cure = f"grant {_who(settings)} READ and DESCRIBE on it"
            raise ConfigurationError(f"{named.setting}: the brokers do not let {_who(settings)} see topic {named.topic}; {cure}")
        if error in {kafka.UnknownTopicOrPartitionError, kafka.InvalidTopicError}:
            listed = await _ask(settings, conn, server, MetadataRequest(None, allow_auto_topic_creation=False))
            there = sorted(entry[1] for entry in listed.topics if not entry[1].startswith("_"))
            more = f" and {len(there) - MAX_NAMES} more" if len(there) > MAX_NAMES else ""
            seen = f"{_who(settings)} sees {', '.join(there[:MAX_NAMES])}{more}" if there else f"{_who(settings)} sees no topics"
            raise ConfigurationError(f"{named.setting}: there is no topic {named.topic}; create it, or name another ({seen})")
    return [(broker[1], broker[2]) for broker in answer.brokers]


async def _check_group(settings: KafkaSettings, conn: Any, server: str, group: str) -> None:
    answer = await _ask(settings, conn, server, FindCoordinatorRequest(group, 0))
    if kafka.for_code(answer.error_code) is kafka.GroupAuthorizationFailedError:
        who = _who(settings)
        raise ConfigurationError(f"kafka.group_id: the brokers do not let {who} use group {group}; grant {who} READ on it, or name another")


async def _check_brokers(server: str, brokers: Sequence[tuple[str, int]], options: dict[str, Any]) -> None:
    """Brokers name themselves to their clients, and a name that only they know is a common mistake."""
    if not brokers or server_of(server) in brokers:
        return
    for host, port in brokers[:MAX_BROKERS]:
        try:
            conn = await _opened(host, port, options)
        except (TimeoutError, OSError, kafka.KafkaError):
            continue
        await conn.close()
        return
    host, port = brokers[0]
    cure = "set the brokers' advertised.listeners to what can be reached from here"
    raise InputError(
        f"kafka.bootstrap_servers: {server} answers, but the brokers call themselves {host}:{port}, which cannot be used; {cure}"
    )


def _who(settings: KafkaSettings) -> str:
    if settings.sasl is not None and settings.sasl.username is not None:
        return f"user {settings.sasl.username}"
    return "this client"


def explained(error: BaseException, settings: KafkaSettings, server: str) -> Problem:
    """A failure to connect to one server, in words."""
    causes: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in causes:
        causes.append(current)
        current = current.__cause__ or current.__context__
    for cause in causes:
        problem = _of_user(cause, settings) or _of_tls(cause, settings, server, causes[0]) or _of_network(cause, server)
        if problem is not None:
            return problem
    return _closed(settings, server)


def _closed(settings: KafkaSettings, server: str) -> Problem:
    """The connection was made, in TLS if that is set, and then closed without a word."""
    if settings.sasl is not None and settings.sasl.oauth is not None and settings.tls.enabled:
        cure = "check its issuer, audience and scope"
        return ConfigurationError(f"kafka.sasl.oauth: {server} closes the connection when it is shown the token; {cure}")
    if settings.sasl is not None:
        return ConfigurationError(f"kafka.tls.enabled: {server} closes the connection; check this, and that the listener takes users")
    if settings.tls.enabled:
        return ConfigurationError(f"kafka.sasl: {server} closes the connection; if it wants a user, give one here")
    cure = "if it is a listener for TLS, set it to true; if it wants a user, give one in kafka.sasl"
    return ConfigurationError(f"kafka.tls.enabled: {server} closes the connection; {cure}")


def _of_user(cause: BaseException, settings: KafkaSettings) -> Problem | None:
    sasl = settings.sasl
    mechanism = sasl.mechanism if sasl else "SASL"
    if isinstance(cause, kafka.UnsupportedSaslMechanismError):
        return ConfigurationError(f"kafka.sasl.mechanism: the brokers do not take {mechanism}; use one they have enabled")
    if isinstance(cause, kafka.IllegalSaslStateError):
        return ConfigurationError("kafka.sasl: this listener asks for no user; take the section out, or name the port of another listener")
    if isinstance(cause, kafka.SaslAuthenticationFailed | kafka.AuthenticationFailedError):
        if sasl is not None and sasl.oauth is not None:
            return ConfigurationError("kafka.sasl.oauth: the brokers refuse the token; check its issuer, audience and scope")
        setting = "password_file" if sasl is not None and sasl.password_file else "password"
        return ConfigurationError(
            f"kafka.sasl.{setting}: the brokers refuse {_who(settings)} with this password; check both, and the mechanism"
        )
    return None


def _of_tls(cause: BaseException, settings: KafkaSettings, server: str, first: BaseException) -> Problem | None:
    """``first``: what was raised; it is the plain cause itself as long as there is no connection."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = cause.verify_message or "it cannot be verified"
        if cause.verify_code in {62, 64}:  # the host name, the address
            cure = "name the host as the certificate does, or set kafka.tls.check_hostname to false"
            return ConfigurationError(f"kafka.bootstrap_servers: the certificate of {server} is not for this host; {cure}")
        cure = "name the file with the certificate of the authority that issued it"
        return ConfigurationError(f"kafka.tls.ca_file: the certificate of {server} is not trusted ({why}); {cure}")
    if isinstance(cause, ConnectionResetError) and settings.tls.enabled and cause is first:
        return ConfigurationError(f"kafka.tls.enabled: {server} does not speak TLS; set it to false, or name the listener for TLS")
    if not isinstance(cause, ssl.SSLError):
        return None
    reason = (cause.reason or "").upper()
    if "CERTIFICATE" in reason or "HANDSHAKE_FAILURE" in reason:
        why = "does not take this certificate; name another" if settings.tls.cert_file else "wants a certificate of its clients; name one"
        return ConfigurationError(f"kafka.tls.cert_file: {server} {why}")
    if "PROTOCOL" in reason and "EOF" not in reason:
        return ConfigurationError(
            f"kafka.tls.min_version: {server} and watchfloor have no version of TLS in common; check this and the brokers"
        )
    return ConfigurationError(f"kafka.tls.enabled: {server} does not speak TLS; set it to false, or name the listener for TLS")


def _of_network(cause: BaseException, server: str) -> Problem | None:
    where = f"kafka.bootstrap_servers: {server}"
    if isinstance(cause, socket.gaierror):
        if cause.errno in _NO_NAME:
            return ConfigurationError(f"{where}: there is no host of this name; check the spelling")
        return InputError(f"{where}: the name cannot be looked up at present; check the name server")
    if isinstance(cause, ConnectionRefusedError):
        return InputError(f"{where}: nobody listens there; check host and port, and whether the broker runs")
    if isinstance(cause, TimeoutError | kafka.RequestTimedOutError):
        return InputError(f"{where}: does not answer; check host, port and network")
    if isinstance(cause, OSError) and not isinstance(cause, ConnectionError | ssl.SSLError):
        return InputError(f"{where}: cannot be reached ({(cause.strerror or 'error').lower()}); check host, port and network")
    return None


async def reach(settings: KafkaSettings) -> None:
    """Look whether everything the settings name can be used, without joining the group. Raises as ``probe`` does."""
    topics = [Named(topic.name, f"kafka.topics.{number}.name") for number, topic in enumerate(settings.topics)]
    if settings.dead_letter_topic is not None:
        topics.append(Named(settings.dead_letter_topic, "kafka.dead_letter_topic"))
    await probe(settings, topics, settings.group if settings.topics else None)
