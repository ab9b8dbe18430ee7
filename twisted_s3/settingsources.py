"""Where settings come from: command line, ``S3STORE_*`` variables and TOML file.

Where a setting is given more than once the command line wins over the environment, the environment over the TOML file,
and that over the default. Whatever is unknown or malformed raises :class:`~twisted_s3.settings.SettingsError`, also in
a source that is overruled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from twisted_s3.settings import PREFIX, Setting, Settings, SettingsError, schema

#: Variables with the prefix that :mod:`twisted_s3.credentials` reads.
USER_VARIABLES = frozenset({"S3STORE_ACCESS_KEY", "S3STORE_SECRET_KEY"})

#: What a TOML file may hold beside ``[server]``; :mod:`twisted_s3.credentials` reads it.
USERS_TABLE = "users"

#: Likewise; :mod:`twisted_s3.delivery.configured` reads it.
TARGETS_TABLE = "targets"


def read_config(path: Path) -> Mapping[str, Any]:
    """The TOML file at ``path``.

    :raise SettingsError: when it can not be read, is not TOML, or has tables that are unknown.
    """
    # Nobody but a daemon with such a file needs it.
    import tomllib

    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise SettingsError(str(path), error.strerror or "can not be read") from None
    except UnicodeDecodeError:
        raise SettingsError(str(path), "is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), f"is not TOML: {error}") from None
    for name in document:
        if name not in ("server", USERS_TABLE, TARGETS_TABLE):
            known = "[server], [[users]] and [[targets]]"
            raise SettingsError(str(path), f"unknown table or setting {name!r}; there are {known}")
    if not isinstance(document.get("server", {}), dict):
        raise SettingsError(str(path), "[server] must be a table")
    return document


class _Layer(Struct, frozen=True):
    """The settings of one source, and what to call each of them in a message."""

    values: dict[str, Any] = {}
    sources: dict[str, str] = {}

    def add(self, setting: Setting, source: str, parse: Callable[[Any], Any], raw: Any, negate: bool) -> None:
        if setting.name in self.values:
            raise SettingsError(source, f"contradicts or repeats {self.sources[setting.name]}")
        try:
            value = parse(raw)
        except ValueError as error:
            raise SettingsError(source, str(error)) from None
        self.values[setting.name] = not value if negate else value
        self.sources[setting.name] = source


def _names() -> Mapping[str, tuple[Setting, bool]]:
    """Each name that a setting goes by, to the setting and whether the name negates it."""
    names = {s.name: (s, False) for s in schema()}
    return names | {f"no_{s.name}": (s, True) for s in schema() if s.switch}


def _from_arguments(arguments: Mapping[str, str | Sequence[str]]) -> _Layer:
    layer = _Layer()
    for name, raw in arguments.items():
        setting, negate = _names()[name]
        texts = [raw] if isinstance(raw, str) else raw
        if setting.repeatable:

            def parse(items: Sequence[str], one: Callable[[str], Any] = setting.kind.parse) -> tuple[Any, ...]:
                return tuple(one(item) for item in items)

            layer.add(setting, f"--{setting.option}", parse, texts, False)
        else:
            layer.add(setting, f"--{name.replace('_', '-')}", setting.from_text, texts[-1], negate)
    return layer


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    layer = _Layer()
    names = _names()
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and variable not in USER_VARIABLES:
            name = variable.removeprefix(PREFIX)
            if name != name.upper() or name.lower() not in names:
                raise SettingsError(variable, "unknown setting in the environment")
            setting, negate = names[name.lower()]
            layer.add(setting, variable, setting.from_text, text, negate)
    return layer


def _from_file(path: Path) -> _Layer:
    layer = _Layer()
    names = _names()
    for name, value in read_config(path).get("server", {}).items():
        if name not in names or not names[name][0].in_file:
            raise SettingsError(str(path), f"unknown setting {name!r} in [server]")
        setting, negate = names[name]
        layer.add(setting, f"{path}: {name} in [server]", setting.from_native, value, negate)
    return layer


def _check_listening(layer: _Layer, check_endpoint: Callable[[str], object]) -> None:
    """Refuse endpoints that do not parse, and a source that gives both forms."""
    _check_endpoints(layer, "website_endpoint", check_endpoint)
    if "endpoint" not in layer.values:
        return
    source = layer.sources["endpoint"]
    for other in ("host", "port"):
        if other in layer.values:
            raise SettingsError(source, f"stands in place of {layer.sources[other]}; give one of them")
    if not layer.values["endpoint"]:
        raise SettingsError(source, "is empty")
    _check_endpoints(layer, "endpoint", check_endpoint)


def _check_endpoints(layer: _Layer, name: str, check_endpoint: Callable[[str], object]) -> None:
    source = layer.sources.get(name, "")
    for text in layer.values.get(name, ()):
        try:
            check_endpoint(text)
        except Exception as error:
            # Endpoint parsers are plugins and raise what they like: TypeError, KeyError, OSError, OpenSSL's ...
            problem = str(error).strip() or type(error).__name__
            raise SettingsError(source, f"{text!r} is not an endpoint: {problem}") from None


def load(
    arguments: Mapping[str, str | Sequence[str]],
    environ: Mapping[str, str],
    check_endpoint: Callable[[str], object],
) -> Settings:
    """Put the settings together.

    :param arguments: of the command line: setting names (a ``no_`` before switches) to what was given.
    :param check_endpoint: raises when it is given a string that is not an endpoint.
    :raise SettingsError: when anything, also in a source that is overruled, is unknown or malformed.
    """
    command, environment = _from_arguments(arguments), _from_environment(environ)
    config = command.values.get("config", environment.values.get("config"))
    layers = [_from_file(config)] if config else []
    values: dict[str, Any] = {}
    for layer in [*layers, environment, command]:
        _check_listening(layer, check_endpoint)
        if "host" in layer.values or "port" in layer.values:
            values.pop("endpoint", None)
        values.update(layer.values)
    return Settings(**values)
