"""S3 servers for tests: one for blocking code, one for the caller's reactor."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from twisted.internet.defer import Deferred

from twisted_s3.credentials import canonical_id
from twisted_s3.events import Subscriptions
from twisted_s3.model import User
from twisted_s3.testing.assembly import Assembly, Options
from twisted_s3.testing.authority import Authority
from twisted_s3.testing.clients import ClientFace
from twisted_s3.testing.clock import ClockHandle, MovableClock
from twisted_s3.testing.faults import Faults
from twisted_s3.testing.recorder import Recorder
from twisted_s3.testing.threads import ReactorThread

#: The key pair of every server, unless another is asked for. SDKs keep credentials, so they are always the same.
ACCESS_KEY = "S3SERVERTESTKEY"
SECRET_KEY = "s3server-secret-for-tests-only"  # noqa: S105


class _Server(ClientFace):
    """What both servers are made of.

    :ivar faults: makes things go wrong.
    :ivar requests: what was asked, for assertions.
    :ivar events: tells of objects that were created or removed, in the server's thread.
    """

    faults: Faults
    requests: Recorder
    events: Subscriptions

    def __init__(
        self,
        *,
        access_key: str = ACCESS_KEY,
        secret_key: str = SECRET_KEY,
        tls: bool = False,
        **options: Any,
    ) -> None:
        """
        :param tls: whether to serve HTTPS, with a certificate of an authority that lives as long as the server.
        :param options: see :class:`Options`.
        """
        self._options = Options(**options)
        self._administrator = User(
            access_key, secret_key, canonical_id(access_key), display_name=access_key, administrator=True
        )
        self._tls = tls
        self._authority: Authority | None = None
        self.access_key, self.secret_key = access_key, secret_key
        self.region = self._options.region
        self.endpoint_url, self.ca_file = "", None

    def _assemble(self, reactor: Any) -> Assembly:
        endpoint = f"tcp:{self._options.port}:interface=127.0.0.1"
        if self._tls:
            self._authority = made = Authority(tuple(self._options.domains))
            self.ca_file = str(made.file)
            endpoint = f"ssl:{self._options.port}:interface=127.0.0.1:certKey={made.certificate}:privateKey={made.key}"
        assembly = Assembly(reactor, self._administrator, self._options, endpoint)
        self.faults, self.requests, self.events = assembly.faults, assembly.recorder, assembly.events
        self._begin_clients()
        return assembly

    def _close_authority(self) -> None:
        authority, self._authority = self._authority, None
        if authority is not None:
            authority.close()


class S3Server(_Server):
    """An S3 server for blocking code, with a reactor and a thread of its own: ``with S3Server() as s3: ...``

    Any number can run at once; they share nothing. A forked child can use the parent's as a client, and must leave
    stopping it to the parent.

    :ivar clock: moves the server's time.
    """

    clock: ClockHandle
    _thread: ReactorThread | None = None
    _assembly: Assembly

    def start(self) -> S3Server:
        """Start it; ready for requests when this returns.

        :raise ListenError: when the port is taken.
        """
        if self._thread is not None:
            raise RuntimeError("the server runs already")
        thread = ReactorThread("S3Server")
        self._assembly = self._assemble(thread.reactor)
        self.clock = ClockHandle(self._assembly.clock, thread.call)
        thread.start()
        try:
            self.endpoint_url = thread.call(_running, self._assembly.start)
        except BaseException:
            thread.stop()
            self._close_authority()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """Stop it: close its socket and its connections, and end its thread. Further calls do nothing."""
        thread, self._thread = self._thread, None
        if thread is None or not thread.here:
            return
        self.close_clients()
        try:
            thread.call(_running, self._assembly.stop)
        finally:
            thread.stop()
            self._close_authority()

    def __enter__(self) -> S3Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running_thread(self) -> ReactorThread:
        if self._thread is None:
            raise RuntimeError("the server does not run")
        return self._thread

    def reset(self) -> None:
        """Forget all buckets, faults and requests, and go back to the present: as new, at the same address."""
        thread = self._running_thread()

        def reset() -> None:
            # In a moment, or it would hold up who waits for this.
            thread.reactor.callLater(0.1, self._assembly.reset().clear)

        thread.call(reset)

    def calm(self) -> None:
        """End all faults, and go back to the present."""
        self._running_thread().call(self._assembly.calm)

    def create_bucket(self, name: str | None = None) -> str:
        """Make a bucket, by default with a name that nobody has. Gives its name. It is no request."""
        made: str = self._running_thread().call(_running, self._assembly.create_bucket, name)
        return made

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with all that is in it, if it is there. It is no request."""
        self._running_thread().call(_running, self._assembly.delete_bucket, name)


def _running(function: Any, *args: Any) -> Any:
    return Deferred.fromCoroutine(function(*args))


class DeferredS3Server(_Server):
    """An S3 server on the reactor of its caller, for trial and pytest-twisted.

    :param reactor: by default the global one.
    :ivar clock: the server's time; ``clock.move(seconds)`` moves it.
    """

    clock: MovableClock
    _assembly: Assembly | None = None

    def __init__(self, reactor: Any = None, **options: Any) -> None:
        super().__init__(**options)
        if reactor is None:
            from twisted.internet import reactor
        self._reactor = reactor

    def start(self) -> Deferred[DeferredS3Server]:
        """Start it. Fires with it when it is ready for requests; fails when the port is taken."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> DeferredS3Server:
        if self._assembly is not None:
            raise RuntimeError("the server runs already")
        assembly = self._assemble(self._reactor)
        self.clock = assembly.clock
        try:
            self.endpoint_url = await assembly.start()
        except BaseException:
            self._close_authority()
            raise
        self._assembly = assembly
        return self

    def stop(self) -> Deferred[None]:
        """Stop it. Fires when its socket and all connections are closed. Further calls do nothing."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        assembly, self._assembly = self._assembly, None
        if assembly is not None:
            self.close_clients()
            try:
                await assembly.stop()
            finally:
                self._close_authority()

    async def __aenter__(self) -> DeferredS3Server:
        return await self._start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def _running_assembly(self) -> Assembly:
        if self._assembly is None:
            raise RuntimeError("the server does not run")
        return self._assembly

    def reset(self) -> None:
        """Forget all buckets, faults and requests, and go back to the present: as new, at the same address."""
        self._running_assembly().reset()

    def create_bucket(self, name: str | None = None) -> Deferred[str]:
        """Make a bucket, by default with a name that nobody has. Fires with its name."""
        return Deferred.fromCoroutine(self._running_assembly().create_bucket(name))

    def delete_bucket(self, name: str) -> Deferred[None]:
        """Delete a bucket with all that is in it, if it is there."""
        return Deferred.fromCoroutine(self._running_assembly().delete_bucket(name))
