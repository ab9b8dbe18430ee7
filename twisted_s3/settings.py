"""One typed schema of settings, with their defaults and the table for the docs.

:class:`Settings` is the schema; :mod:`twisted_s3.settingsources` reads what it describes. Whatever is unknown or
malformed raises :class:`SettingsError`, whose text is one line that names the source.

``python -m twisted_s3.settings`` prints the table for the docs.
"""

# ruff: noqa: RUF009  (the calls declare fields)
from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
from msgspec import Struct

PREFIX = "S3STORE_"

DURABILITIES = ("strict", "none")
SCRUBS = ("off", "light", "deep")
OWNERSHIPS = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
DEFAULT_ENCRYPTIONS = ("none", "AES256")
CUSTOMER_KEYS_OVER_HTTP = ("loopback", "always", "never")
LOG_FORMATS = ("text", "json")
PRESIGNED_CHECKSUMS = ("ignore", "check")
LOG_LEVELS = ("debug", "info", "warn", "error", "critical")


class SettingsError(Exception):
    """A setting is unknown or malformed. The text is one line and holds no secret."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in f"{source}: {problem}"))


class Kind(Struct, frozen=True):
    """A type of setting.

    :ivar metavar: what the docs call a value.
    :ivar parse: text to value; raises ValueError with what is wrong.
    :ivar toml: the types that the TOML file may use for it.
    """

    metavar: str
    parse: Callable[[str], Any]
    toml: tuple[type, ...] = (str,)


def parse_path(text: str) -> Path:
    """Read a path, in which ``~`` may stand for a home. :raise ValueError: when it can be none."""
    if not text or "\0" in text:
        raise ValueError("is not a path")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("names the home of a user that there is not") from None


def _name(text: str) -> str:
    if not text or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is not a name")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", text):
        raise ValueError(f"{text!r} is not a region name (such as us-east-1)")
    return text


def _domain(text: str) -> str:
    domain = text.lower()
    label = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
    if not re.fullmatch(rf"{label}(\.{label})*(:[0-9]{{1,5}})?", domain):
        raise ValueError(f"{text!r} is not a domain name")
    return domain


def _whole(lowest: int, highest: int, noun: str = "a whole number") -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not lowest <= int(text) <= highest:
            raise ValueError(f"{text!r} is not {noun} from {lowest} to {highest}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text!r} is not a number of seconds")
    return value


def _positive(text: str) -> float:
    value = _seconds(text)
    if not value:
        raise ValueError("must be more than 0 seconds")
    return value


def _choice(values: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is not one of {', '.join(values)}")
        return text

    return parse


def _switch(text: str) -> bool:
    try:
        return {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


PATH = Kind("PATH", parse_path)
NAME = Kind("NAME", _name)
REGION = Kind("NAME", _region)
DOMAIN = Kind("DOMAIN", _domain)
ENDPOINT = Kind("ENDPOINT", _name)
PORT = Kind("PORT", _whole(0, 65535, "a port number"), (int,))
SIZE = Kind("BYTES", _whole(0, 2**53), (int,))
SECONDS = Kind("SECONDS", _seconds, (int, float))
TIMEOUT = Kind("SECONDS", _positive, (int, float))
SWITCH = Kind("BOOL", _switch, (bool,))


def _count(lowest: int, highest: int) -> Kind:
    return Kind("N", _whole(lowest, highest), (int,))


def _one_of(values: Sequence[str]) -> Kind:
    return Kind("{" + ",".join(values) + "}", _choice(values))


class Setting(Struct, frozen=True):
    """What the schema says of one setting.

    :ivar name: the attribute of :class:`Settings` and the key in the TOML file.
    :ivar repeatable: whether it holds any number of values.
    :ivar in_file: whether the TOML file may set it.
    """

    name: str
    kind: Kind
    help: str
    default: Any
    repeatable: bool
    in_file: bool

    @property
    def option(self) -> str:
        """Its name on the command line, without the dashes."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.upper()

    @property
    def switch(self) -> bool:
        """Whether it is true or false; it then has a second name with ``no`` before it."""
        return self.kind is SWITCH

    def from_text(self, text: str) -> Any:
        """The value of an argument or a variable; several values stand between white space.

        :raise ValueError: with what is wrong.
        """
        if not self.repeatable:
            return self.kind.parse(text)
        if not text.split():
            raise ValueError("is empty")
        return tuple(self.kind.parse(item) for item in text.split())

    def from_native(self, value: object) -> Any:
        """The value of a TOML or JSON item.

        :raise ValueError: with what is wrong.
        """
        if self.repeatable and isinstance(value, list):
            return tuple(self._one(item) for item in value)
        return (self._one(value),) if self.repeatable else self._one(value)

    def _one(self, value: object) -> Any:
        if type(value) not in self.kind.toml:
            raise ValueError(f"must be {' or '.join(t.__name__ for t in self.kind.toml)}, not {type(value).__name__}")
        return self.kind.parse(str(value))


def _default_data_dir() -> Path:
    return Path("s3store-data").absolute()


def _setting(kind: Kind, default: Any, help: str, *, repeatable: bool = False, in_file: bool = True) -> Any:
    return attrs.field(default=default, metadata={"setting": (kind, help, repeatable, in_file)})


@attrs.frozen
class Settings:
    """All settings. Paths are absolute, times in seconds, sizes in bytes."""

    config: Path | None = _setting(PATH, None, "TOML file with further settings and users", in_file=False)
    data_dir: Path = _setting(PATH, attrs.Factory(_default_data_dir), "directory that holds the buckets")
    host: str = _setting(NAME, "127.0.0.1", "address to listen on")
    port: int = _setting(PORT, 9000, "TCP port to listen on; 0 takes a free one")
    endpoint: tuple[str, ...] = _setting(
        ENDPOINT,
        (),
        "Twisted endpoint to listen on (tcp:, ssl:, unix:, systemd: ...), any number, in place of host and port",
        repeatable=True,
    )
    region: str = _setting(REGION, "us-east-1", "the region that the server says it is")
    domain: tuple[str, ...] = _setting(
        DOMAIN, (), "domain below which a bucket has a host name of its own, any number", repeatable=True
    )
    website_endpoint: tuple[str, ...] = _setting(
        ENDPOINT, (), "Twisted endpoint on which buckets are websites, any number", repeatable=True
    )
    website_domain: tuple[str, ...] = _setting(
        DOMAIN,
        (),
        "domain below which a website has the name of its bucket, any number; any other host is a bucket's whole name",
        repeatable=True,
    )
    workers: int = _setting(_count(1, 1024), 1, "number of processes that serve")
    durability: str = _setting(
        _one_of(DURABILITIES), "strict", "strict: what was acknowledged survives a power cut; none: for tests only"
    )
    credentials: Path | None = _setting(PATH, None, "JSON file with users")
    allow_sigv2: bool = _setting(SWITCH, True, "accept URLs with a version 2 signature, as boto3 makes them")
    presigned_checksums: str = _setting(
        _one_of(PRESIGNED_CHECKSUMS),
        "ignore",
        "ignore: a checksum of no bytes in a presigned URL, as the AWS SDK for JavaScript signs it, does not count; "
        "check: every checksum does",
    )
    default_object_ownership: str = _setting(
        _one_of(OWNERSHIPS), OWNERSHIPS[0], "ownership of new buckets; with BucketOwnerEnforced ACLs are off"
    )
    default_public_access_block: bool = _setting(
        SWITCH, True, "block public access to new buckets, until their owner says otherwise"
    )
    keyring: Path | None = _setting(
        PATH, None, "JSON file with the keys for AES256 and aws:kms; none: one that is made in the data directory"
    )
    default_encryption: str = _setting(
        _one_of(DEFAULT_ENCRYPTIONS),
        "none",
        "how objects are encrypted where neither request nor bucket says it; none: they stay plain files",
    )
    sse_c_over_http: str = _setting(
        _one_of(CUSTOMER_KEYS_OVER_HTTP),
        "loopback",
        "from where keys of customers are taken without TLS, which AWS never does",
    )
    access_log: bool = _setting(SWITCH, True, "log one line for every request")
    log_format: str = _setting(_one_of(LOG_FORMATS), "text", "format of all log lines")
    log_level: str = _setting(_one_of(LOG_LEVELS), "info", "least severe level that is logged")
    max_header_bytes: int = _setting(_count(1024, 2**20), 16384, "bytes of request line and headers together")
    max_headers: int = _setting(_count(10, 10000), 200, "number of headers of a request")
    header_timeout: float = _setting(TIMEOUT, 30.0, "time for all headers of a request to arrive")
    idle_timeout: float = _setting(TIMEOUT, 60.0, "time that a connection may stand still")
    max_connections: int = _setting(_count(1, 2**20), 10000, "open connections in each process")
    drain_limit: int = _setting(SIZE, 2**20, "bytes of a refused body that are read before the answer is sent")
    shutdown_grace: float = _setting(SECONDS, 30.0, "time that running requests get to finish when the server stops")
    disk_threads: int = _setting(_count(1, 256), 8, "threads for the disk in each process")
    min_free: int = _setting(
        SIZE, 128 * 2**20, "bytes that stay free on the disk: with less, uploads are refused, deletions go on; 0: none"
    )
    verify_reads: bool = _setting(
        SWITCH, False, "check the bytes of whole downloads against their checksum; a damaged one is cut off"
    )
    scrub: str = _setting(
        _one_of(SCRUBS), "off", "look for damage in the background: light by sizes and metadata, deep by every byte"
    )
    scrub_rate: int = _setting(_count(1024, 2**40), 8 * 2**20, "bytes that the look for damage reads in a second")
    scrub_interval: float = _setting(TIMEOUT, 7 * 86400.0, "time from one look at everything to the next")
    bucket_log_interval: float = _setting(
        TIMEOUT, 300.0, "time between two deliveries of the access logs that buckets ask for"
    )
    event_queue_limit: int = _setting(
        SIZE, 256 * 2**20, "bytes of events that wait for their targets: with more, the oldest are lost"
    )
    upload_expiry: float = _setting(SECONDS, 7 * 86400.0, "age at which an unfinished multipart upload goes; 0: never")
    lifecycle_interval: float = _setting(
        SECONDS, 3600.0, "time from the end of one round of all lifecycle rules to the beginning of the next; 0: none"
    )
    lifecycle_rate: int = _setting(_count(0, 10**6), 1000, "lifecycle changes and removals in a second; 0: no limit")
    lifecycle_day_seconds: float = _setting(
        TIMEOUT, 86400.0, "how long a day of lifecycle rules lasts; anything but 86400 is for tests only"
    )

    @property
    def endpoints(self) -> Sequence[str]:
        """The endpoint strings to listen on."""
        if self.endpoint:
            return self.endpoint
        host = self.host.replace("\\", "\\\\").replace(":", "\\:")
        return (f"tcp:{self.port}:interface={host}",)

    def to_json(self) -> str:
        """As one line that :meth:`from_json` takes."""
        return json.dumps(attrs.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """What :meth:`to_json` wrote."""
        values = json.loads(text)
        stated: dict[str, Any] = {
            s.name: None if values[s.name] is None else s.from_native(values[s.name]) for s in schema()
        }
        return cls(**stated)


def schema() -> Sequence[Setting]:
    """Every setting, in the order of the docs."""
    found = []
    for field in attrs.fields(Settings):
        kind, help, repeatable, in_file = field.metadata["setting"]
        found.append(Setting(field.name, kind, help, field.default, repeatable, in_file))
    return found


def _shown(setting: Setting) -> str:
    value = setting.default
    if setting.name == "data_dir":
        return "``./s3store-data``"
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "``true``" if value else "``false``"
    return f"``{value:g}``" if isinstance(value, float) and value < 1e6 else f"``{value}``"


def docs_table() -> str:
    """The reference of all settings, as a reStructuredText table."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 22 24 18 36", ""]
    rows = [("Command line", "Environment", "Default", "Meaning")]
    for setting in schema():
        option = f"--{setting.option} {setting.kind.metavar}"
        if setting.switch:
            option = f"--[no-]{setting.option}"
        rows.append((f"``{option}``", f"``{setting.variable}``", _shown(setting), setting.help))
    for row in rows:
        lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(docs_table(), end="")
