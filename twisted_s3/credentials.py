"""Who holds which key: users from the environment, the TOML file, a JSON file, or a pair made on first start.

The same rules hold for every source: access keys of 3 characters or more without ``=`` and ``,``, secrets of 8 or
more, no access key and no canonical id twice. The environment's user, else the first one, is the administrator.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct, structs
from twisted.logger import Logger
from zope.interface import implementer

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import ICredentials
from twisted_s3.model import User
from twisted_s3.protocol.policy.canned import canned_document
from twisted_s3.protocol.policy.documents import parse_user_policy
from twisted_s3.protocol.policy.operators import parse_date
from twisted_s3.settings import Settings, SettingsError
from twisted_s3.settingsources import USERS_TABLE, read_config

#: Below the data directory.
GENERATED = Path(".s3store", "credentials.json")

_PERSON = ("canonical_id", "display_name", "email", "name", "policy", "keys")
_KEY = ("access_key", "secret_key", "expires")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _snake(name: str) -> str:
    return name


#: One who holds keys, each as a user of its own.
Person = Sequence[User]


def canonical_id(access_key: str) -> str:
    """The canonical id of a user that was given none: 64 hex digits that stay the same."""
    return hashlib.sha256(b"twisted_s3 canonical id\0" + access_key.encode("utf-8")).hexdigest()


@implementer(ICredentials)
class Users:
    """A set of users that can be replaced while requests run."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        self.replace(users)

    def replace(self, users: Iterable[User]) -> None:
        """From now on know these users, and no others."""
        known = tuple(users)
        self._by_key = {user.access_key: user for user in known}
        self._by_id = {user.canonical_id: user for user in reversed(known)}
        self._by_email = {user.email.lower(): user for user in reversed(known) if user.email}
        self._administrator = next((user for user in known if user.administrator), None)

    def __len__(self) -> int:
        return len(self._by_key)

    async def get_user(self, access_key: str) -> User | None:
        """The holder of an access key, or None."""
        return self._by_key.get(access_key)

    def get_owner(self, canonical_id: str) -> User | None:
        """The user with this canonical id, or None; for "" the administrator."""
        return self._by_id.get(canonical_id) if canonical_id else self._administrator

    def get_by_email(self, email: str) -> User | None:
        """The user with this e-mail address, whatever its case, or None."""
        return self._by_email.get(email.lower())


def _texts(source: str, fields: Mapping[str, object]) -> Mapping[str, str]:
    """Fields that are text. No message holds a value of ``fields``: it might be a secret in the wrong place."""
    for name, value in fields.items():
        if not isinstance(value, str):
            raise SettingsError(source, f"{name} must be text")
        if not value.isprintable():
            raise SettingsError(source, f"{name} has control characters")
    return {name: str(value) for name, value in fields.items()}


def _user(source: str, fields: Mapping[str, object]) -> User:
    """Make a user with one key."""
    values = _texts(source, fields)
    access_key, secret_key = values.get("access_key", ""), values.get("secret_key", "")
    if len(access_key) < 3:
        raise SettingsError(source, "the access key must have 3 characters or more")
    if set(access_key) & set("=, ") or not access_key.isascii():
        raise SettingsError(source, "the access key must be ASCII without '=', ',' and spaces")
    if len(secret_key) < 8:
        raise SettingsError(source, "the secret key must have 8 characters or more")
    return User(
        access_key=access_key,
        secret_key=secret_key,
        canonical_id=values.get("canonical_id") or canonical_id(access_key),
        display_name=values.get("display_name") or access_key,
        email=values.get("email", ""),
        expires=_expiry(source, values.get("expires")),
        name=values.get("name") or access_key,
    )


def _expiry(source: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        found = parse_date(text)
    except ValueError:
        raise SettingsError(source, "expires is not a time such as 2030-01-31T00:00:00Z") from None
    return found


def _person(source: str, fields: Mapping[str, object], rename: Callable[[str], str]) -> Person:
    """Make a user with all keys. Further ones are in ``keys``, where there may also be the only ones."""
    own = {name: value for name, value in fields.items() if name not in ("policy", "keys")}
    keys = fields.get("keys", [])
    if not isinstance(keys, list):
        raise SettingsError(source, "keys must be a list")
    pairs = [_renamed(f"{source}, key {number}", "a key pair", key, _KEY, rename) for number, key in enumerate(keys, 1)]
    if "access_key" in own or "secret_key" in own or not pairs:
        pairs.insert(0, {name: own[name] for name in _KEY if name in own})
    shared = {name: value for name, value in own.items() if name not in _KEY}
    first = _user(source, {**shared, **pairs[0]})
    first = structs.replace(first, policy=_policy(source, fields.get("policy")))
    others = [_user(source, pair) for pair in pairs[1:]]
    return [
        first,
        *(structs.replace(first, access_key=o.access_key, secret_key=o.secret_key, expires=o.expires) for o in others),
    ]


def _policy(source: str, value: object) -> bytes | None:
    """The JSON of a policy that is given by its name, as text, or as a table."""
    if value is None:
        return None
    try:
        if isinstance(value, str) and not value.lstrip().startswith("{"):
            value = canned_document(value)
        text = (value.strip() if isinstance(value, str) else json.dumps(value)).encode()
        parse_user_policy(text)
    except (ValueError, TypeError, S3Error) as error:
        problem = error.message if isinstance(error, S3Error) else str(error)
        raise SettingsError(source, f"policy: {problem}") from None
    return text


def _renamed(
    where: str, what: str, entry: object, fields: Iterable[str], rename: Callable[[str], str]
) -> dict[str, object]:
    """The fields of an entry, by our names.

    :param what: it should be.
    """
    if not isinstance(entry, dict):
        raise SettingsError(where, f"is not {what}")
    names = {rename(field): field for field in fields}
    for name in entry:
        if name not in names:
            raise SettingsError(where, f"unknown setting {name!r}")
    return {names[name]: value for name, value in entry.items()}


def _from_environment(environ: Mapping[str, str]) -> Sequence[Person]:
    names = {"access_key": "S3STORE_ACCESS_KEY", "secret_key": "S3STORE_SECRET_KEY"}
    fields = {field: environ[name] for field, name in names.items() if name in environ}
    if not fields:
        return ()
    for field, name in names.items():
        if field not in fields:
            raise SettingsError(name, "is not set, but the other half of the key pair is")
    return ([_user("S3STORE_ACCESS_KEY and S3STORE_SECRET_KEY", fields)],)


def _entries(source: str, entries: object, rename: Callable[[str], str]) -> Sequence[Person]:
    if not isinstance(entries, list):
        raise SettingsError(source, "must be a list of users")
    people = []
    for number, entry in enumerate(entries, 1):
        where = f"{source}, user {number}"
        people.append(_person(where, _renamed(where, "a user", entry, (*_KEY, *_PERSON), rename), rename))
    return people


def _from_toml(path: Path) -> Sequence[Person]:
    document = read_config(path)
    return _entries(f"{path}: [[users]]", document.get(USERS_TABLE, []), _snake)


def _from_json(path: Path) -> Sequence[Person]:
    source = str(path)
    try:
        document: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(source, error.strerror or "can not be read") from None
    except (ValueError, RecursionError):
        raise SettingsError(source, "is not JSON") from None
    if not isinstance(document, dict) or set(document) != {"credentials"}:
        raise SettingsError(source, 'must be an object with one member, "credentials"')
    return _entries(source, document["credentials"], _camel)


def _require_unique(people: Sequence[Person]) -> None:
    keys: set[str] = set()
    ids: set[str] = set()
    for person in people:
        if person[0].canonical_id in ids:
            raise SettingsError("users", f"the canonical id of {person[0].access_key!r} is there twice")
        ids.add(person[0].canonical_id)
        for user in person:
            if user.access_key in keys:
                raise SettingsError("users", f"the access key {user.access_key!r} is there twice")
            keys.add(user.access_key)


def check_file(path: Path) -> None:
    """Look whether a JSON file holds well-formed users. :raise SettingsError: when it does not."""
    _require_unique(_from_json(path))


def _checked(people: Sequence[Person]) -> Sequence[User]:
    _require_unique(people)
    if people and people[0][0].policy is not None:
        raise SettingsError("users", "the first user is the administrator, who may do everything and has no policy")
    return [structs.replace(user, administrator=number == 0) for number, person in enumerate(people) for user in person]


class UserSources(Discreet, Struct, frozen=True):
    """Where the users of a server come from.

    :ivar environ: the environment; never shown in a ``repr``.
    """

    HIDDEN: ClassVar = ("environ",)

    config: Path | None
    credentials: Path | None
    data_dir: Path
    environ: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str]) -> UserSources:
        """The sources that ``settings`` and the environment name."""
        return cls(settings.config, settings.credentials, settings.data_dir, environ)

    @property
    def generated(self) -> Path:
        """The file for the key pair that is made when nothing is configured."""
        return self.data_dir / GENERATED

    def configured(self) -> Sequence[User]:
        """The users that someone configured, the administrator first; empty when nobody did.

        :raise SettingsError: when a source can not be read or breaks a rule.
        """
        people = [*_from_environment(self.environ)]
        people += _from_toml(self.config) if self.config else ()
        people += _from_json(self.credentials) if self.credentials else ()
        return _checked(people)

    def load(self) -> Sequence[User]:
        """The users that someone configured, or the one of the pair that was made on first start.

        :raise SettingsError: as above; also when nothing is configured and no pair was made yet.
        """
        return self.configured() or _checked(_from_json(self.generated))

    def load_or_generate(self) -> tuple[Sequence[User], User | None]:
        """As :meth:`load`, but make the pair where there is none. Gives also the user that was made, if so.

        Of processes that do so at the same time one makes the pair, and all use it.

        :raise SettingsError: as above.
        :raise OSError: when the pair can not be stored.
        """
        users = self.configured()
        if users:
            return users, None
        made = None if self.generated.exists() else _generate(self.generated)
        return _checked(_from_json(self.generated)), made

    def marks(self) -> Sequence[tuple[int, int, int] | None]:
        """What tells whether a file is another one or has other contents than before; None for one that is missing."""
        return [_mark(path) for path in (self.config, self.credentials, self.generated) if path]

    def exposed(self) -> Sequence[Path]:
        """The files with secrets that others than their owner may read."""
        found = []
        if self.config and read_config(self.config).get(USERS_TABLE):
            found.append(self.config)
        found += [path for path in (self.credentials, self.generated) if path and path.exists()]
        return [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o044]


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def new_pair() -> tuple[str, str]:
    """A random access key and its secret."""
    access_key = "S3" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(18))
    return access_key, "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))


@contextmanager
def _written(path: Path, text: str) -> Iterator[Path]:
    """A file with ``text``, on stable storage under a name of its own beside ``path``; it is removed at the end."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path: Path, text: str, check: Callable[[Path], object]) -> None:
    """Put a file with ``text`` in the place of ``path``, durably and in one step, unless ``check`` raises for it.

    :raise OSError: when the disk refuses.
    """
    with _written(path, text) as temporary:
        check(temporary)
        temporary.rename(path)
    sync(path.parent)


def _generate(path: Path) -> User | None:
    """Make a key pair and store it at ``path``, durably; None when another process was first."""
    access_key, secret_key = new_pair()
    document = {"credentials": [{"accessKey": access_key, "secretKey": secret_key}]}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _written(path, json.dumps(document, indent=2) + "\n") as temporary:
        try:
            # A link, not a rename: it fails when the name is taken, and shows the file only when it is whole.
            os.link(temporary, path)
        except FileExistsError:
            return None
    for directory in (path.parent, path.parent.parent, path.parent.parent.parent):
        sync(directory)
    return _user(str(path), {"access_key": access_key, "secret_key": secret_key})


def sync(path: Path) -> None:
    """Bring a file, or the names in a directory, to stable storage."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ready_to_paste(user: User, endpoint_url: str, region: str, path: Path) -> str:
    """What a person pastes to use a new key pair with the AWS CLI and boto3. Holds the secret."""
    return f"""
A key pair was made for this server. It is kept in {path} and is not shown again.

AWS CLI:
    export AWS_ACCESS_KEY_ID={user.access_key}
    export AWS_SECRET_ACCESS_KEY={user.secret_key}
    export AWS_DEFAULT_REGION={region}
    aws --endpoint-url {endpoint_url} s3 mb s3://first-bucket
    aws --endpoint-url {endpoint_url} s3 ls

boto3:
    import boto3
    s3 = boto3.client("s3", endpoint_url="{endpoint_url}", region_name="{region}",
                      aws_access_key_id="{user.access_key}",
                      aws_secret_access_key="{user.secret_key}")
    s3.list_buckets()
"""


class UserReload:
    """Loads the users anew into a :class:`Users`, when someone asks for it or their files have changed."""

    _log = Logger()

    def __init__(self, sources: UserSources, users: Users) -> None:
        self._sources = sources
        self._users = users
        self._seen = sources.marks()

    def changed(self) -> bool:
        """Whether the files look different than when this was asked last. They are not opened."""
        before, self._seen = self._seen, self._sources.marks()
        return self._seen != before

    def warn(self) -> None:
        """Log which files with secrets others may read."""
        for path in self._sources.exposed():
            self._log.warn("{path} holds secret keys and can be read by others; chmod 600 it", path=str(path))

    def reload(self) -> None:
        """Load the users anew. When that fails, log why and keep those there are."""
        try:
            users = self._sources.load()
            self._users.replace(users)
            self._log.info("users loaded: {count}", count=len(users))
            self.warn()
        except (SettingsError, OSError) as error:
            self._log.error("users not loaded, the old ones stay: {error}", error=str(error))
