"""How a connection to Kafka is made safe: TLS, users and tokens, from the settings to what aiokafka takes."""

import asyncio
import json
import logging
import ssl
import time
from pathlib import Path
from typing import Any

import httpx
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from monitor.logs import register_secret
from monitor.settings_kafka import KafkaOauth, KafkaSettings, KafkaTls
from monitor.settings_sinks import secret_of
from schemas.errors import ConfigurationError, InputError

TOKEN_TIMEOUT_S = 10.0
EARLY = 0.8
"""A token is renewed when this share of its life is over."""
DEFAULT_LIFE_S = 300.0
"""Of a token whose endpoint does not say."""
MAX_ANSWER_BYTES = 65_536

# The library writes a line for each of its many retries, and at DEBUG whole requests, passwords among them. What matters it also reports to
# its caller, and that is logged here, once for each change.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)


def tls_context(tls: KafkaTls, setting: str = "kafka.tls") -> ssl.SSLContext:
    """The TLS context of these settings. Raises ``ConfigurationError``, which names the file that is wrong."""
    if tls.ca_file is None:
        context = ssl.create_default_context()
    else:
        cure = "name a file of certificates (PEM) that this user may read"
        try:
            context = ssl.create_default_context(cafile=tls.ca_file)
        except ssl.SSLError:
            raise ConfigurationError(f"{setting}.ca_file: {tls.ca_file} holds no certificates; {cure}") from None
        except (OSError, ValueError) as exc:
            raise ConfigurationError(f"{setting}.ca_file: cannot read {tls.ca_file}: {_why(exc)}; {cure}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.min_version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.check_hostname
    if tls.cert_file is not None:
        _load_certificate(context, tls, setting)
    return context


def _load_certificate(context: ssl.SSLContext, tls: KafkaTls, setting: str) -> None:
    password = secret_of(tls.key_password, tls.key_password_file, f"{setting}.key_password")
    assert tls.cert_file is not None
    for name, path in (("cert_file", tls.cert_file), ("key_file", tls.key_file)):
        if path is not None:
            _check_readable(path, f"{setting}.{name}")
    try:
        # Without a function here OpenSSL would ask for the password on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, lambda: password or "")
    except (ssl.SSLError, OSError, ValueError):
        where = f"{setting}.{'key_file' if tls.key_file else 'cert_file'}"
        cure = "check that they are PEM, that the key is the certificate's, and key_password"
        raise ConfigurationError(f"{where}: certificate and key cannot be used together; {cure}") from None


def _check_readable(path: Path, setting: str) -> None:
    try:
        path.open("rb").close()
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{setting}: cannot read {path}: {_why(exc)}; name a file that this user may read") from None


def _why(exc: Exception) -> str:
    return (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # the library has no types
    """Tokens for OAUTHBEARER. What is wrong is in ``problem``, which never holds a token or a secret."""

    def __init__(self, oauth: KafkaOauth, setting: str = "kafka.sasl.oauth") -> None:
        self._oauth = oauth
        self._setting = setting
        self._token = ""
        self._renew_at = 0.0
        self._lock = asyncio.Lock()
        self.problem: ConfigurationError | InputError | None = None
        """Why the last token could not be had; ``None`` when it could."""

    async def token(self) -> str:
        """The token of the moment. Raises the library's own error, so that it tries again, as with a broker that is gone."""
        try:
            async with self._lock:
                token = await self._current()
            register_secret(token)
        except (ConfigurationError, InputError) as exc:
            self.problem = exc
            raise KafkaConnectionError(str(exc)) from None
        self.problem = None
        return token

    async def _current(self) -> str:
        if self._oauth.token_file is not None:
            return await asyncio.to_thread(secret_of, None, self._oauth.token_file, f"{self._setting}.token") or ""
        if time.monotonic() >= self._renew_at:
            self._token, life_s = await self._ask()
            self._renew_at = time.monotonic() + EARLY * life_s
        return self._token

    async def _ask(self) -> tuple[str, float]:
        oauth, where = self._oauth, f"{self._setting}.token_url"
        assert oauth.token_url is not None
        assert oauth.client_id is not None
        secret = secret_of(oauth.client_secret, oauth.client_secret_file, f"{self._setting}.client_secret")
        register_secret(secret or "")
        form = {"grant_type": "client_credentials", **({"scope": oauth.scope} if oauth.scope else {})}
        trust = tls_context(KafkaTls(enabled=True, ca_file=oauth.ca_file), self._setting)
        try:
            async with httpx.AsyncClient(verify=trust, timeout=TOKEN_TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
                answer = await client.post(oauth.token_url, data=form, auth=(oauth.client_id, secret or ""))
        except httpx.HTTPError as exc:
            raise InputError(f"{where}: the token endpoint cannot be reached ({type(exc).__name__}); check the address") from None
        if answer.status_code in {400, 401, 403}:
            cure = "check client_id, client_secret and scope"
            raise ConfigurationError(f"{where}: the token endpoint refuses (status {answer.status_code}); {cure}")
        if answer.status_code != 200 or len(answer.content) > MAX_ANSWER_BYTES:
            raise InputError(f"{where}: the token endpoint gives no token (status {answer.status_code}); check the address")
        return _token_of(answer.content, where)


def _token_of(content: bytes, where: str) -> tuple[str, float]:
    try:
        fields = json.loads(content)
        token, life_s = fields["access_token"], float(fields.get("expires_in", DEFAULT_LIFE_S))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{where}: the token endpoint answers with something else than a token; check the address") from None
    if not isinstance(token, str) or not token:
        raise InputError(f"{where}: the token endpoint answers without a token; check the address")
    return token, life_s


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """What every client of aiokafka is given about the brokers. Raises ``ConfigurationError`` for files that cannot be used."""
    given: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.client_id,
        "request_timeout_ms": round(settings.request_timeout_s * 1000),
        "metadata_max_age_ms": round(settings.metadata_age_s * 1000),
        "retry_backoff_ms": 250,
        "security_protocol": ("SASL_" if settings.sasl else "") + ("SSL" if settings.tls.enabled else "PLAINTEXT"),
    }
    if settings.tls.enabled:
        given["ssl_context"] = tls_context(settings.tls)
    sasl = settings.sasl
    if sasl is None:
        return given
    given["sasl_mechanism"] = sasl.mechanism
    if sasl.oauth is not None:
        given["sasl_oauth_token_provider"] = Tokens(sasl.oauth)
    else:
        password = sasl.secret() or ""
        register_secret(password)
        given |= {"sasl_plain_username": sasl.username, "sasl_plain_password": password}
    return given
