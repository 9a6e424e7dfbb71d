"""The HTTP port: where it listens, who may ask, and how much of the service strangers can take up."""

import re
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from detectors.settings import Strict
from schemas.errors import ConfigurationError

MIN_TOKEN_CHARS = 16
MAX_TOKEN_FILE_BYTES = 4_096
_TOKEN = re.compile(r"[\x21-\x7e]+")
_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]+\]")


def is_loopback(address: str) -> bool:
    """Whether only this machine can be meant by an address.

    >>> is_loopback("127.0.0.1"), is_loopback("::ffff:127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if address == "localhost":
        return True
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_loopback


def _check_address(host: str) -> str:
    if host != "localhost":
        try:
            ip_address(host)
        except ValueError:
            raise ValueError(
                "is no IP address; use 127.0.0.1 (this machine only), 0.0.0.0 or :: (every network), or one of its own"
            ) from None
    return host


def _check_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < MIN_TOKEN_CHARS or _TOKEN.fullmatch(text) is None:
        raise ValueError(_TOKEN_RULE)
    return token


def _check_host_name(name: str) -> str:
    name = name.lower()
    if _HOST_NAME.fullmatch(name) is None:
        raise ValueError("is no host name; write it without scheme, port or path, e.g. watchfloor.example.com")
    return name


_TOKEN_RULE = f"does not fit; use at least {MIN_TOKEN_CHARS} letters, digits and signs without spaces, e.g. from `openssl rand -hex 32`"


class TlsFiles(Strict):
    """What the port proves itself with."""

    cert_file: Path = Field(description="Certificate in PEM form, followed by those that lead to its root.")
    key_file: Path = Field(description="Its private key in PEM form, without a password.")


class HttpSettings(Strict):
    """The one port for metrics, health, API and status page."""

    host: Annotated[str, AfterValidator(_check_address)] = Field(
        default="127.0.0.1", description="Address to listen on. Any but a loopback address needs a token."
    )
    port: int = Field(default=9464, ge=0, le=65_535, description="Port to listen on; 0: any that is free.")
    token: Annotated[SecretStr, AfterValidator(_check_token)] | None = Field(
        default=None, description="Bearer token that API, status page and, beyond loopback, metrics ask for."
    )
    token_file: Path | None = Field(default=None, description="File with the token, instead of `token`.")
    metrics_public: bool = Field(default=False, description="Whether anybody who reaches the port may read the metrics.")
    allowed_hosts: tuple[Annotated[str, AfterValidator(_check_host_name)], ...] = Field(
        default=(),
        description="Names the port may be called by, besides its address. Empty: on loopback none, elsewhere any.",
    )
    tls: TlsFiles | None = Field(default=None, description="Certificate for HTTPS. Absent: plain HTTP.")
    max_request_bytes: int = Field(default=65_536, ge=1_024, le=16_777_216, description="Largest body of a request.")
    request_timeout_s: float = Field(
        default=10.0,
        ge=0.1,
        le=300,
        description="Time from the first byte of a request until its answer is taken; then the connection is cut.",
    )
    max_connections: int = Field(default=100, ge=4, le=10_000, description="Connections at a time; further ones are closed at once.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("token_file: token is set too; keep one of them")
        if not self.is_local and self.token is None and self.token_file is None:
            raise ValueError("host: can be reached from other machines, and no token is set; set token_file (or token), or host 127.0.0.1")
        return self

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the port."""
        return is_loopback(self.host)

    def read_token(self) -> str | None:
        """The token, from the settings or its file. Raises ``ConfigurationError``."""
        if self.token_file is None:
            return None if self.token is None else self.token.get_secret_value()
        try:
            with self.token_file.open("rb") as file:
                text = file.read(MAX_TOKEN_FILE_BYTES).decode("ascii", "replace").strip()
        except OSError as exc:
            reason = (exc.strerror or "error").lower()
            raise ConfigurationError(
                f"http.token_file: cannot read {self.token_file}: {reason}; name a file this account can read"
            ) from exc
        try:
            _check_token(SecretStr(text))
        except ValueError as exc:
            raise ConfigurationError(f"http.token_file: what is in {self.token_file} {exc}") from None
        return text
