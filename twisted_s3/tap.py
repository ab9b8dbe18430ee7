"""``twistd s3store``: its options, and the service that it runs."""

# mypy: disable-error-code=no-untyped-call
from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile

from twisted_s3.credentials import UserReload, Users, UserSources, ready_to_paste
from twisted_s3.keyring import KeyFile, keyring_path, read_keys
from twisted_s3.listeners import ListenError, endpoint_check
from twisted_s3.loading import load_compose
from twisted_s3.logformat import flushing, make_observer
from twisted_s3.periodic import Job, Periodic
from twisted_s3.serving import SiteService
from twisted_s3.settings import Setting, Settings, SettingsError, schema
from twisted_s3.settingsources import load
from twisted_s3.workers import Workers

#: Full name of the function that puts store and site together.
COMPOSE = "twisted_s3.composition.compose"

NAME = "s3store"

#: How often the files with users are looked at, in seconds.
FOLLOW_SECONDS = 2.0


def _help(setting: Setting) -> str:
    default = "" if setting.default in (None, ()) else f" [default: {setting.default}]"
    return f"{setting.help}{default}"


class Options(usage.Options):
    """The command line, made from :func:`twisted_s3.settings.schema`.

    :ivar settings: what command line, environment and TOML file come to.
    :ivar sources: where the users come from; they have been looked at and are well-formed.
    """

    longdesc = (
        "An S3 endpoint in front of a directory. Every option can also be set by a variable S3STORE_... "
        "in the environment, and in the [server] table of the file that --config names."
    )
    optParameters = [  # noqa: RUF012
        [s.option, None, None, _help(s)] for s in schema() if not s.switch and not s.repeatable
    ]
    optFlags = [  # noqa: RUF012
        [name, None, text]
        for s in schema()
        if s.switch
        for name, text in ((s.option, _help(s)), (f"no-{s.option}", f"do not {s.help}"))
    ]

    settings: Settings
    sources: UserSources

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._environ = os.environ if environ is None else environ
        self._repeated: dict[str, list[str]] = {}

    def parseOptions(self, options: Any = None) -> None:
        """Parse the command line.

        :raise SystemExit: with one line of text, when any setting from any source is unknown or malformed.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"{NAME}: {error}") from None

    def postOptions(self) -> None:
        """Put the settings together, and look whether the users are well-formed."""
        from twisted.internet import reactor

        arguments: dict[str, Any] = {}
        for setting in schema():
            for name in (setting.name, f"no_{setting.name}") if setting.switch else (setting.name,):
                given = self._repeated.get(name) if setting.repeatable else self[name.replace("_", "-")]
                if given is not None and given != 0:
                    arguments[name] = "true" if setting.switch else given
        try:
            self.settings = load(arguments, self._environ, endpoint_check(reactor))
            self.sources = UserSources.of(self.settings, self._environ)
            self.sources.configured()
            read_keys(keyring_path(self.settings))
            if self.settings.config is not None:
                # Only there are targets named; who names none does not wait for what delivers.
                from twisted_s3.delivery.configured import load_targets

                load_targets(self.settings.config)
        except SettingsError as error:
            raise usage.UsageError(str(error)) from None


def _repeatable(setting: Setting) -> Callable[[Options, str], None]:
    def option(self: Options, value: str) -> None:
        self._repeated.setdefault(setting.name, []).append(value)

    option.__doc__ = _help(setting)
    return option


for _setting in schema():
    if _setting.repeatable:
        setattr(Options, f"opt_{_setting.name}", _repeatable(_setting))


def _log_writer(runner: Mapping[str, Any]) -> Callable[[bytes], object]:
    """Where the runner's options say that the log goes, as twistd itself understands them."""
    name = runner.get("logfile")
    if runner.get("nodaemon") and name in (None, "", "-"):
        return flushing(sys.stdout.buffer)
    if name == "-":
        raise SystemExit(f"{NAME}: a daemon can not log to standard output")
    file = LogFile.fromFullPath(name or "twistd.log")
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: file.rotate())
    return flushing(file)


class Daemon(MultiService):
    """What surrounds the server in a daemon: log, users, signals, and how failures end the process.

    :param runner: the options of twistd.
    :param console: writes to the terminal that the daemon was started from, past the log.
    """

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        sources: UserSources,
        runner: Mapping[str, Any],
        reactor: Any,
        console: Callable[[str], None],
        compose: str = COMPOSE,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._sources = sources
        self._runner = runner
        self._reactor = reactor
        self._console = console
        self._users = Users()
        self._reload = UserReload(sources, self._users)
        self._workers: Workers | None = None
        if settings.workers > 1:
            self._workers = Workers(settings, compose, reactor, sources.environ)
            self._listeners = self._workers.listeners
            self._workers.setServiceParent(self)
        else:
            server = SiteService.from_settings(settings, self._users, load_compose(compose), reactor, self._failed)
            self._listeners = server.listeners
            server.setServiceParent(self)
        self._following = Periodic(Job("follow users", FOLLOW_SECONDS, self._follow), reactor)

    def setServiceParent(self, parent: Any) -> None:
        """Become part of twistd's application, and give that application the log of the settings.

        Where the command line names another log (``--logger``, ``--syslog``), that one is left alone.
        """
        if isinstance(parent, Componentized) and not (self._runner.get("logger") or self._runner.get("syslog")):
            observer = make_observer(_log_writer(self._runner), self._settings.log_format, self._settings.log_level)
            parent.setComponent(ILogObserver, observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Bind the sockets; end the process when one can not be bound."""
        try:
            super().privilegedStartService()
        except ListenError as error:
            self._give_up(error)

    def startService(self) -> None:
        """Load or make the users, then start the server."""
        try:
            users, made = self._sources.load_or_generate()
        except (SettingsError, OSError) as error:
            self._give_up(error)
        self._users.replace(users)
        if made is not None:
            self._reload.changed()
            self._log.info("a key pair was made and is kept in {path}", path=str(self._sources.generated))
            url = next((a for a in self._listeners.addresses() if a.startswith("http")), "http://localhost:9000")
            self._console(ready_to_paste(made, url, self._settings.region, self._sources.generated))
        self._reload.warn()
        if KeyFile(keyring_path(self._settings)).exposed():
            self._log.warn("{path} can be read by others; chmod 600 it", path=str(keyring_path(self._settings)))
        if self._settings.durability == "none":
            for line in ("*" * 72, "DURABILITY IS OFF: a crash or a power cut LOSES acknowledged data.", "*" * 72):
                self._log.warn("{line}", line=line)
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))
        try:
            super().startService()
        except OSError as error:
            self._give_up(error)
        self._following.start()

    def stopService(self) -> Deferred[None]:
        """Stop the server. Fires when all is done."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._following.stop()
        await super().stopService()

    async def _follow(self) -> None:
        if self._reload.changed():
            self.reload()

    def reload(self) -> None:
        """Load the users anew, in all processes."""
        if self._workers is not None:
            self._workers.reload()
        else:
            self._reload.reload()

    def _failed(self, failure: Failure) -> None:
        # twistd has no exit status of its own for this; ended by a signal it is not 0.
        self._reactor.callWhenRunning(signal.raise_signal, signal.SIGTERM)

    def _give_up(self, error: Exception) -> NoReturn:
        """End the process with status 1, as early as its start."""
        if not self._runner.get("nodaemon"):
            # twistd tells the process that waits at the terminal.
            raise error
        if self._runner.get("pidfile"):
            Path(self._runner["pidfile"]).unlink(missing_ok=True)
        print(f"{NAME}: {error}", file=sys.__stderr__)
        raise SystemExit(1)


def _console_of(stream: Any) -> Callable[[str], None]:
    """Writes to a stream's descriptor as it is now, whatever becomes of the stream when the process is a daemon."""
    descriptor = os.dup(stream.fileno())

    def write(text: str) -> None:
        os.write(descriptor, text.encode("utf-8"))

    return write


def makeService(options: Options, compose: str = COMPOSE) -> Daemon:
    """What ``twistd s3store`` runs."""
    from twisted.internet import reactor

    settings = options.settings
    runner: Mapping[str, Any] = getattr(options, "parent", None) or {}
    # A log of JSON lines on standard output stays one.
    console = _console_of(sys.__stderr__ if settings.log_format == "json" else sys.__stdout__)
    return Daemon(settings, options.sources, runner, reactor, console, compose)
