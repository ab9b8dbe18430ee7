"""The targets of events in the TOML file: ``[[targets]]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from msgspec import Struct

from twisted_s3.delivery.file import JSONLines
from twisted_s3.delivery.nats import MAX_SERVERS, NATS
from twisted_s3.discreet import Discreet
from twisted_s3.queueing import ITarget
from twisted_s3.settings import SettingsError, parse_path
from twisted_s3.settingsources import TARGETS_TABLE, read_config

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.*>]+)*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COMMON = frozenset({"name", "type", "give_up"})


class TargetSettings(Discreet, Struct, frozen=True):
    """What the settings say of one target.

    :ivar give_up: seconds from the first attempt at an event until it is a dead letter.
    :ivar make: makes it for a reactor.
    """

    HIDDEN: ClassVar = ("make",)

    name: str
    type: str
    make: Callable[[Any], ITarget]
    give_up: float = 86400.0


def load_targets(config: Path | None) -> Sequence[TargetSettings]:
    """The targets that a TOML file names; none without a file.

    :raise SettingsError: when one breaks a rule. Its text holds no secret.
    """
    if config is None:
        return ()
    tables = read_config(config).get(TARGETS_TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(str(config), "targets must be written as [[targets]]")
    found: list[TargetSettings] = []
    for number, table in enumerate(tables, 1):
        made = _target(f"{config}: target {number}", table)
        if any(other.name == made.name for other in found):
            raise SettingsError(str(config), f"there are two targets of the name {made.name!r}")
        found.append(made)
    return found


def _target(source: str, table: Mapping[str, Any]) -> TargetSettings:
    fields = _Fields(source, table)
    name = fields.text("name")
    if not _NAME.fullmatch(name):
        raise SettingsError(source, "name must have 1 to 80 letters, digits, - and _, as an ARN can end with it")
    kind = fields.text("type")
    if kind not in _TYPES:
        raise SettingsError(source, f"type must be one of {', '.join(_TYPES)}")
    allowed, make = _TYPES[kind]
    for other in table:
        if other not in _COMMON | allowed:
            raise SettingsError(source, f"a target of the type {kind} has no {other!r}")
    return TargetSettings(name, kind, make(fields), fields.seconds("give_up", 86400.0))


class _Fields(Struct, frozen=True):
    """The values of a table. No message holds one of them: it might be a secret in the wrong place."""

    source: str
    table: Mapping[str, Any]

    def fail(self, problem: str) -> SettingsError:
        return SettingsError(self.source, problem)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.table.get(name, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.fail(f"{name} must be text")
        return value

    def seconds(self, name: str, default: float) -> float:
        value = self.table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 10**9:
            raise self.fail(f"{name} must be a number of seconds")
        return float(value)

    def whole(self, name: str, default: int, highest: int) -> int:
        value = self.table.get(name, default)
        if type(value) is not int or not 1 <= value <= highest:
            raise self.fail(f"{name} must be a whole number from 1 to {highest}")
        return value

    def switch(self, name: str) -> bool:
        value = self.table.get(name, False)
        if not isinstance(value, bool):
            raise self.fail(f"{name} must be true or false")
        return value

    def path(self, name: str) -> Path | None:
        if name not in self.table:
            return None
        try:
            return parse_path(self.text(name))
        except ValueError as error:
            raise self.fail(f"{name} {error}") from None

    def url(self, text: str, schemes: Sequence[str]) -> str:
        if not _names_host(text, schemes):
            raise self.fail(f"url must begin with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host")
        return text

    def authority(self) -> Path | None:
        path = self.path("ca_file")
        if path is not None and not path.is_file():
            raise self.fail("ca_file is not a file")
        return path


def _names_host(url: str, schemes: Sequence[str]) -> bool:
    """Whether a URL of one of these schemes has a host, and a port that can be one if it has any."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname) and port != 0 and url.isprintable() and " " not in url


def _webhook(fields: _Fields) -> Callable[[Any], ITarget]:
    # A client for HTTP is much to start with, and to keep in memory, for the many servers that call nobody.
    from twisted_s3.delivery.webhook import Webhook, secret_bytes

    url = fields.url(fields.text("url"), ("http", "https"))
    try:
        secret = secret_bytes(fields.text("secret", ""))
    except ValueError:
        raise fields.fail("secret is not base64 behind its whsec_") from None
    headers = fields.table.get("headers", {})
    if not isinstance(headers, dict) or not all(
        _HEADER.fullmatch(name) and isinstance(value, str) and value.isprintable() for name, value in headers.items()
    ):
        raise fields.fail("headers must be a table of names and texts")
    authority = fields.authority()
    timeout, concurrency = fields.seconds("timeout", 10.0), fields.whole("concurrency", 8, 100)
    return lambda reactor: Webhook(url, reactor, secret, authority, headers, timeout, concurrency)


def _file(fields: _Fields) -> Callable[[Any], ITarget]:
    path = fields.path("path")
    if path is None or not path.parent.is_dir():
        raise fields.fail("path must name a file in a directory that is there")
    return lambda reactor: JSONLines(path, reactor)


def _nats(fields: _Fields) -> Callable[[Any], ITarget]:
    urls = fields.table.get("url")
    listed = [url for url in urls if isinstance(url, str)] if isinstance(urls, list) else [fields.text("url")]
    if (isinstance(urls, list) and len(listed) != len(urls)) or not 0 < len(listed) <= MAX_SERVERS:
        raise fields.fail("url must be text, or a list of texts")
    servers = [fields.url(url, ("nats", "tls")) for url in listed]
    if find_spec("nats") is None:
        raise fields.fail("a target of the type nats needs the package nats-py")
    subject = fields.text("subject")
    if not _SUBJECT.fullmatch(subject):
        raise fields.fail("subject must be words with dots between them")
    options = {name: fields.text(name) for name in ("user", "password", "token") if name in fields.table}
    credentials, authority = fields.path("credentials"), fields.authority()
    stream, timeout = fields.switch("jetstream"), fields.seconds("timeout", 10.0)
    return lambda reactor: NATS(servers, subject, reactor, stream, timeout, authority, credentials, options)


_TYPES: Mapping[str, tuple[frozenset[str], Callable[[_Fields], Callable[[Any], ITarget]]]] = {
    "webhook": (frozenset({"url", "secret", "headers", "ca_file", "timeout", "concurrency"}), _webhook),
    "nats": (
        frozenset({"url", "subject", "jetstream", "user", "password", "token", "credentials", "ca_file", "timeout"}),
        _nats,
    ),
    "file": (frozenset({"path"}), _file),
}
