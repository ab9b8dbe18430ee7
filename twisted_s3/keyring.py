"""The keyring: the keys of the server that encrypt the keys of objects, in a JSON file that only its owner may read.

::

    {"keys": [{"id": "5f0c...", "name": "sse-s3", "created": "2026-11-27T12:00:00Z", "key": "<32 bytes in base64>"}]}

Of the keys with one name the last encrypts what is new; the others still open what was encrypted before. Nothing is
ever removed by the server: without its key an object is lost.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import stat
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any, ClassVar, Protocol

from msgspec import Struct
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from zope.interface import implementer

from twisted_s3.credentials import replace_file, sync
from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IKeyService
from twisted_s3.model import DataKey
from twisted_s3.protocol.dates import format_iso8601
from twisted_s3.protocol.encryption.headers import DEFAULT_KEY, SERVER_KEY
from twisted_s3.protocol.encryption.sealing import KEY_BYTES, WrongKey, unwrap, wrap
from twisted_s3.settings import Settings, SettingsError

#: Where it is kept when no other place is configured, below the data directory.
GENERATED = Path(".s3store", "keyring.json")

#: The keys that are made when they are first asked for.
_MADE = (SERVER_KEY, DEFAULT_KEY)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,255}")


def keyring_path(settings: Settings) -> Path:
    """Where the keyring of a server is.

    :raise SettingsError: when it was configured and is not there: a new one would open nothing that is stored.
    """
    if settings.keyring is None:
        return settings.data_dir / GENERATED
    if not settings.keyring.exists():
        raise SettingsError(str(settings.keyring), "there is no keyring; s3store keyring rotate makes one")
    return settings.keyring


class Key(Discreet, Struct, frozen=True):
    """A key of the keyring.

    :ivar id: tells it from the others, also from those with the same name.
    :ivar created: in ISO 8601.
    """

    HIDDEN: ClassVar = ("secret",)

    id: str
    name: str
    created: str
    secret: bytes


def check_name(name: str) -> str:
    """:raise SettingsError: for what can be no key's name."""
    if _NAME.fullmatch(name) is None:
        raise SettingsError("keyring", f"{name!r} can not be the name of a key")
    return name


def new_key(name: str, now: float) -> Key:
    """A fresh key."""
    return Key(secrets.token_hex(16), name, format_iso8601(now), secrets.token_bytes(KEY_BYTES))


class KeySource(Protocol):
    """Where the keys are. May block."""

    def load(self) -> Sequence[Key]:
        """All keys, old ones first."""

    def add(self, name: str, once: bool = False) -> Key:
        """Make a key, durably. With ``once`` only if there is none of that name, else the one there is is given."""

    def settle(self) -> None:
        """Bring what `load` last gave to stable storage: whoever added a key may not have done so yet."""


class KeyFile:
    """A keyring file. Commands and servers may use it at the same time.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time) -> None:
        self.path = path
        self._now = now

    def load(self) -> Sequence[Key]:
        """All keys, old ones first; none when there is no file.

        :raise SettingsError: when it is no keyring.
        :raise OSError: when it can not be read.
        """
        return read_keys(self.path)

    def add(self, name: str, once: bool = False) -> Key:
        """See `KeySource`. :raise SettingsError: for what can be no name."""
        check_name(name)
        with self._locked():
            known = self.load()
            if once:
                for key in known:
                    if key.name == name:
                        return key
            made = new_key(name, self._now())
            replace_file(self.path, _dump([*known, made]), read_keys)
        return made

    def settle(self) -> None:
        """See `KeySource`. :raise OSError: when the disk refuses."""
        for path in (self.path, self.path.parent, self.path.parent.parent):
            sync(path)

    def exposed(self) -> bool:
        """Whether others than its owner may read it."""
        return self.path.exists() and bool(stat.S_IMODE(self.path.stat().st_mode) & 0o077)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """While nobody else changes the file."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class KeysInMemory:
    """Keys that are forgotten with the process, for tests and for stores in memory."""

    def __init__(self, now: Callable[[], float] = time) -> None:
        self._now = now
        self._keys: list[Key] = []

    def load(self) -> Sequence[Key]:
        """All keys, old ones first."""
        return tuple(self._keys)

    def add(self, name: str, once: bool = False) -> Key:
        """See `KeySource`."""
        known = [key for key in self._keys if key.name == name]
        if once and known:
            return known[-1]
        self._keys.append(new_key(check_name(name), self._now()))
        return self._keys[-1]

    def settle(self) -> None:
        """There is no stable storage."""


def read_keys(path: Path) -> Sequence[Key]:
    """The keys in a file; none when it is not there. :raise SettingsError: when it is no keyring."""
    source = str(path)
    try:
        document: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SettingsError(source, error.strerror or "can not be read") from None
    except (ValueError, RecursionError):
        raise SettingsError(source, "is not JSON") from None
    if not isinstance(document, dict) or set(document) != {"keys"} or not isinstance(document["keys"], list):
        raise SettingsError(source, 'must be an object with one member, "keys"')
    keys = [_load(f"{source}, key {number}", entry) for number, entry in enumerate(document["keys"], 1)]
    if len({key.id for key in keys}) != len(keys):
        raise SettingsError(source, "an id is there twice")
    return keys


def _load(where: str, entry: object) -> Key:
    if not isinstance(entry, dict) or set(entry) != {"id", "name", "created", "key"}:
        raise SettingsError(where, "must have the members id, name, created and key")
    if not all(isinstance(value, str) for value in entry.values()):
        raise SettingsError(where, "has a member that is not text")
    try:
        secret = b64decode(entry["key"], validate=True)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise SettingsError(where, f"its key is not {KEY_BYTES} bytes in base64")
    return Key(entry["id"], check_name(entry["name"]), entry["created"], secret)


def _dump(keys: Sequence[Key]) -> str:
    entries = [
        {"id": key.id, "name": key.name, "created": key.created, "key": b64encode(key.secret).decode("ascii")}
        for key in keys
    ]
    return json.dumps({"keys": entries}, indent=2) + "\n"


#: Calls a function that may block, and gives its result.
Run = Callable[..., Awaitable[Any]]


async def at_once(job: Callable[..., Any], *args: Any) -> Any:
    """The `Run` for what does not block."""
    return job(*args)


def in_threads_of(reactor: Any) -> Run:
    """The `Run` that uses the pool of threads of a reactor."""

    def run(job: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), job, *args)

    return run


@implementer(IKeyService)
class Keyring:
    """The keys of the server, for ``AES256`` and, by their names, for ``aws:kms``.

    What was added by others is seen at once by who encrypts. Keys are asked for by id without a look at the source
    when they are known.
    """

    _log = Logger()

    def __init__(self, source: KeySource, run: Run = at_once) -> None:
        self._source = source
        self._run = run
        self._known: Mapping[str, Key] = {}
        self._settled: set[str] = set()

    async def generate(self, name: str, context: bytes) -> DataKey:
        """See :meth:`IKeyService.generate`."""
        key = await self._current(name)
        if key.id not in self._settled:
            # What it encrypts must not outlast it.
            await self._attempt(self._source.settle)
            self._settled.add(key.id)
        plain = secrets.token_bytes(KEY_BYTES)
        return DataKey(plain, wrap(key.secret, plain, _bound(key, context)), key.id)

    async def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """See :meth:`IKeyService.unwrap`."""
        if key_id not in self._known:
            await self._load()
        key = self._known.get(key_id)
        if key is None:
            self._log.error("the keyring lacks a key that objects are encrypted with: {key_id}", key_id=key_id)
            raise no_such_key(key_id)
        try:
            return unwrap(key.secret, wrapped, _bound(key, context))
        except WrongKey:
            self._log.error("the key of an object does not open with the key {key_id}: it was changed", key_id=key_id)
            raise S3Error("InternalError") from None

    async def _current(self, name: str) -> Key:
        found = await self._newest(name)
        if found is None and name in _MADE:
            await self._attempt(self._source.add, name, True)
            found = await self._newest(name)
        if found is None:
            raise no_such_key(name)
        return found

    async def _newest(self, name: str) -> Key | None:
        named = [key for key in await self._load() if key.name == name]
        return named[-1] if named else None

    async def _load(self) -> Sequence[Key]:
        keys: Sequence[Key] = await self._attempt(self._source.load)
        self._known = {key.id: key for key in keys}
        return keys

    async def _attempt(self, job: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._run(job, *args)
        except (SettingsError, OSError) as error:
            self._log.error("the keyring can not be used: {error}", error=str(error))
            raise S3Error("InternalError") from None


def _bound(key: Key, context: bytes) -> bytes:
    return b"\0".join((key.name.encode(), context))


def no_such_key(name: str) -> S3Error:
    """The answer to the name, or the id, of a key that is not there."""
    return S3Error("KMS.NotFoundException", f"Invalid keyId '{name}'")
