"""The listening sockets of a server: bound early, opened when the server is ready, closed at once."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IReactorFDSet,
    IReadDescriptor,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer


class _OwnClockForTLS:
    """A reactor whose TLS connections use its own clock. Twisted gives them that of the global reactor."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenSSL(
        self, port: int, factory: IProtocolFactory, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """See :class:`twisted.internet.interfaces.IReactorSSL`."""
        secured = TLSMemoryBIOFactory(contextFactory, False, factory, self._reactor)
        listening: IListeningPort = self._reactor.listenTCP(port, secured, backlog, interface)
        return listening


def _server(reactor: Any, text: str) -> IStreamServerEndpoint:
    endpoint: IStreamServerEndpoint = serverFromString(reactor, text)  # type: ignore[no-untyped-call]
    return endpoint


class ListenError(Exception):
    """An endpoint can not be listened on. The text is one line."""


@implementer(IProtocolNegotiationFactory)
class _Front(Factory):
    """Stands before the factory that a server has once it is ready."""

    noisy = False
    _factory: IProtocolFactory | None = None

    def logPrefix(self) -> str:
        return "s3store"

    def put(self, factory: IProtocolFactory) -> None:
        """Give the connections from now on to ``factory``."""
        self._factory = factory
        factory.doStart()

    def buildProtocol(self, addr: Any) -> Any:
        return self._factory.buildProtocol(addr) if self._factory is not None else None

    def acceptableProtocols(self) -> list[bytes]:
        """What ALPN may choose. Without an answer, TLS fails with every client that offers any."""
        behind = IProtocolNegotiationFactory(self._factory, None)
        return [] if behind is None else behind.acceptableProtocols()

    def stopFactory(self) -> None:
        factory, self._factory = self._factory, None
        if factory is not None:
            factory.doStop()


class Listeners:
    """The ports of some endpoint strings: those of the server, and those of websites.

    :ivar ports: the ports, once :meth:`bind` is done, in the order of the endpoints; those of websites last.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorFDSet,
        endpoints: Sequence[str],
        adopted: Sequence[int] = (),
        websites: Sequence[str] = (),
    ) -> None:
        """
        :param adopted: descriptors of sockets that listen already, one for each endpoint, those of websites last;
            empty to bind anew.
        :param websites: endpoints on which something else is served.
        """
        self._reactor = reactor
        self._endpoints = [*endpoints, *websites]
        self._main = len(endpoints)
        self._adopted = adopted
        self._front = _Front()
        self._website_front = _Front()
        self.ports: list[IListeningPort] = []

    def bind(self) -> Deferred[None]:
        """Bind all endpoints. Connections are taken by the kernel, and wait there until :meth:`open`.

        :raise ListenError: when one can not be bound; none is then left bound. Raised at once where the endpoints
            are of the usual kinds, so that it ends the start of a daemon; else it comes with the Deferred.
        """
        bound = Deferred.fromCoroutine(self._bind())
        failures: list[Failure] = []

        def note(failure: Failure) -> Failure:
            failures.append(failure)
            return failure

        bound.addErrback(note)
        if failures:
            bound.addErrback(lambda _: None)
            failures[0].raiseException()
        return bound

    async def _bind(self) -> None:
        for number, text in enumerate(self._endpoints):
            try:
                port = await self._listen(number, text)
            except Exception as error:
                # Of whatever kind: endpoints are plugins. Nobody need wait until the others are closed.
                Deferred.fromCoroutine(self.close())
                raise ListenError(f"can not listen on {text}: {_reason(error)}") from error
            self.ports.append(port)
            self._pause(port)

    def _listen(self, number: int, text: str) -> Deferred[IListeningPort]:
        reactor: Any = _OwnClockForTLS(self._reactor)
        if self._adopted:
            reactor = AdoptingReactor(self._reactor, self._adopted[number])
            text = without_systemd(text)
        return _server(reactor, text).listen(self._front if number < self._main else self._website_front)

    def _pause(self, port: IListeningPort) -> None:
        if IReadDescriptor.providedBy(port):
            self._reactor.removeReader(port)

    def open(self, factory: IProtocolFactory, website: IProtocolFactory | None = None) -> None:
        """Begin to accept connections. :param website: the factory of those to websites."""
        self._front.put(factory)
        if website is not None:
            self._website_front.put(website)
        for port in self.ports:
            if IReadDescriptor.providedBy(port):
                self._reactor.addReader(port)
        for address in self.addresses():
            self._log.info("listening on {address}", address=address)
        for address in self.website_addresses():
            self._log.info("websites on {address}", address=address)

    async def close(self) -> None:
        """Close the sockets; from now on connections are refused, unless another process holds them too."""
        ports, self.ports = self.ports, []
        await gatherResults([maybeDeferred(port.stopListening) for port in ports], consumeErrors=True)

    def descriptors(self) -> Sequence[int]:
        """The descriptors of the ports, for other processes to adopt."""
        return [port.fileno() for port in self.ports]  # type: ignore[attr-defined]

    def addresses(self) -> Sequence[str]:
        """Where the server listens: URLs, and paths of UNIX sockets."""
        return self._addresses()[: self._main]

    def website_addresses(self) -> Sequence[str]:
        """Where websites are."""
        return self._addresses()[self._main :]

    def _addresses(self) -> Sequence[str]:
        return [_url(text, port) for text, port in zip(self._endpoints, self.ports, strict=True)]


def _reason(error: Exception) -> str:
    cause = getattr(error, "socketError", error)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _url(endpoint: str, port: IListeningPort) -> str:
    secure = re.match(r"(?:[a-z]+:)*(ssl|tls)\b", endpoint) is not None
    scheme = "https" if secure else "http"
    address = port.getHost()
    if isinstance(address, IPv6Address):
        return f"{scheme}://[{'::1' if address.host == '::' else address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{scheme}://{'127.0.0.1' if address.host == '0.0.0.0' else address.host}:{address.port}"  # noqa: S104
    if isinstance(address, UNIXAddress):
        return f"unix:{(address.name or b'').decode('utf-8', 'replace')}"
    return endpoint


def without_systemd(endpoint: str) -> str:
    """An endpoint string for a socket that is at hand already, so that it need not be found in systemd's variables."""
    return re.sub(r"(^|:)systemd:.*$", r"\1tcp:0", endpoint)


class _InheritedSocket(socket.socket):
    def bind(self, address: object) -> None:
        """It is bound already."""

    def shutdown(self, how: int) -> None:
        """Others go on with it."""


class _InheritedUNIXPort(unix.Port):
    """Neither changes the mode of the socket's file nor removes it: both are up to who made it."""

    def __init__(self, inherited: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        super().__init__(b"\0inherited", factory, reactor=reactor)
        self._inherited = inherited

    def createInternetSocket(self) -> socket.socket:
        return self._inherited


class AdoptingReactor:
    """A reactor whose listening methods take one socket that listens already, whatever address they are given.

    So an endpoint string says what is spoken on an inherited socket: TLS with which certificate, PROXY protocol ...
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def _adopt(self, factory: IProtocolFactory) -> IListeningPort:
        inherited = _InheritedSocket(fileno=self._descriptor)
        # All processes share the flag, so it must never be off, not even for a moment.
        inherited.setblocking(False)
        if inherited.family == socket.AF_UNIX:
            port = _InheritedUNIXPort(inherited, factory, self._reactor)
            port.startListening()  # type: ignore[no-untyped-call]
            return port
        with inherited:
            adopted: IListeningPort = self._reactor.adoptStreamPort(inherited.fileno(), inherited.family, factory)
            return adopted

    def listenTCP(self, port: int, factory: IProtocolFactory, *_: Any, **__: Any) -> IListeningPort:
        """See :class:`twisted.internet.interfaces.IReactorTCP`."""
        return self._adopt(factory)

    def listenSSL(
        self, port: int, factory: IProtocolFactory, contextFactory: Any, *_: Any, **__: Any
    ) -> IListeningPort:
        """See :class:`twisted.internet.interfaces.IReactorSSL`."""
        return self._adopt(TLSMemoryBIOFactory(contextFactory, False, factory, self._reactor))

    def listenUNIX(self, address: str, factory: IProtocolFactory, *_: Any, **__: Any) -> IListeningPort:
        """See :class:`twisted.internet.interfaces.IReactorUNIX`."""
        return self._adopt(factory)


def endpoint_check(reactor: object) -> Callable[[str], object]:
    """What :func:`twisted_s3.settingsources.load` needs to tell endpoint strings from others."""
    return lambda text: _server(reactor, text)
