"""Many clients of several servers over one directory, at work on few keys, with a history of what they were told."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from hashlib import md5
from pathlib import Path
from threading import Thread

from msgspec import Struct, structs

from tests.proofs.history import History, Read, Write, check
from tests.proofs.promises import State
from tests.proofs.server import Server
from tests.proofs.wire import Answer, Connection, complete_document, object_target
from twisted_s3.commands.offline import integrity_of

BUCKET = "consistent"
SIZES = (0, 1, 100, 4096, 4096, 70_000, 600_000)
KEYS = (*(f"flat-{n}" for n in range(8)), *(f"deep/{n}/key" for n in range(6)), "a", "a/b", "a/b/c", "s/", "t//x", "..")


class Client:
    """One client, with a connection of its own to one server.

    :ivar complaints: what no history is needed for to be wrong, as sentences.
    """

    def __init__(self, number: int, seed: int, server: Server) -> None:
        self.history = History()
        self.complaints: list[str] = []
        self.count = 0
        self._number = number
        self._chance = random.Random(f"{seed}/{number}")
        self._server = server
        self._known: dict[str, str] = {}
        self._actions = (
            (24, self._put),
            (6, self._put_if_absent),
            (6, self._put_if_match),
            (4, self._complete),
            (10, self._delete),
            (36, self._get),
            (6, self._head),
            (8, self._list),
        )

    def run(self, until: float) -> None:
        """Do one thing after the other, until the time has come."""
        weights = [weight for weight, _ in self._actions]
        try:
            self._connection = Connection(self._server.authority)
            while time.monotonic() < until:
                [(_, action)] = self._chance.choices(self._actions, weights)
                action(self._chance.choice(KEYS))
                self.count += 1
        except Exception as error:
            self.complaints.append(f"client {self._number} failed: {error!r}")
        else:
            self._connection.close()

    def _call(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        self._connection.send(self._server.signer.request(method, target, headers, body))
        answer = self._connection.receive(method)
        if answer.status >= 500 or answer.status in (400, 403):
            self.complaints.append(f"{method} {target}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer

    def _new(self, etag: str = "") -> tuple[bytes, State]:
        body = self._chance.randbytes(self._chance.choice(SIZES))
        return body, State.of(body, {"write": f"{self._number}-{self.count}"}, etag)

    def _write(
        self, key: str, state: State | None, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Write, Answer]:
        """A request that changes a key, if it succeeds."""
        write = Write(state, time.monotonic())
        # Whoever looks meanwhile may see it, so it is known from the beginning.
        self.history.writes[key].append(write)
        answer = self._call(method, target, headers, body)
        if answer.status < 300:
            write.ended = write.done = time.monotonic()
        elif answer.status < 500:
            self.history.writes[key].remove(write)
        return write, answer

    def _put(self, key: str, condition: Mapping[str, str] | None = None) -> tuple[Write, Answer]:
        body, state = self._new()
        headers = {**state.headers, **(condition or {})}
        write, answer = self._write(key, state, "PUT", object_target(BUCKET, key), headers, body)
        if answer.status < 300 and answer.etag != state.etag:
            self.complaints.append(f"PUT {key} was told another ETag than that of its bytes")
        return write, answer

    def _put_if_absent(self, key: str) -> None:
        write, answer = self._put(key, {"If-None-Match": "*"})
        if answer.status < 300:
            self._saw(key, "a PUT that asked for nothing", write.begun, None, write)

    def _put_if_match(self, key: str) -> None:
        etag = self._known.get(key)
        if etag is not None:
            write, answer = self._put(key, {"If-Match": f'"{etag}"'})
            if answer.status < 300:
                self._saw(key, "a PUT that asked for an ETag", write.begun, {"etag": etag}, write)

    def _complete(self, key: str) -> None:
        body, state = self._new()
        target = object_target(BUCKET, key)
        upload = self._call("POST", f"{target}?uploads=", state.headers).text("UploadId")
        part = self._call("PUT", f"{target}?partNumber=1&uploadId={upload}", None, body).etag
        state = structs.replace(state, etag=f"{_md5_of(part)}-1")
        _, answer = self._write(key, state, "POST", f"{target}?uploadId={upload}", {}, complete_document({1: part}))
        if b"<Error>" in answer.body:
            self.complaints.append(f"Complete {key}: {answer.body.decode(errors='replace')}")

    def _delete(self, key: str) -> None:
        self._write(key, None, "DELETE", object_target(BUCKET, key), {}, b"")

    def _get(self, key: str) -> None:
        begun = time.monotonic()
        answer = self._call("GET", object_target(BUCKET, key))
        if answer.status == 200 and int(answer.headers["content-length"]) != len(answer.body):
            self.complaints.append(f"GET {key}: not as long as it says")
        state = State.seen(answer) if answer.status == 200 else None
        self._known.pop(key, None)
        if state is not None:
            self._known[key] = state.etag
        self._saw(key, "GET", begun, state)

    def _head(self, key: str) -> None:
        begun = time.monotonic()
        answer = self._call("HEAD", object_target(BUCKET, key))
        if answer.status == 404:
            self._saw(key, "HEAD", begun, None)
            return
        meta = {"write": answer.headers["x-amz-meta-write"]}
        fits = {"etag": answer.etag, "size": int(answer.headers["content-length"]), "meta": meta}
        self._saw(key, "HEAD", begun, fits)

    def _list(self, key: str) -> None:
        begun = time.monotonic()
        answer = self._call("GET", f"/{BUCKET}?list-type=2")
        etags = [etag.strip('"') for etag in answer.texts("ETag")]
        found = dict(zip(answer.texts("Key"), zip(etags, map(int, answer.texts("Size")), strict=True), strict=True))
        for stranger in found.keys() - set(KEYS):
            self.complaints.append(f"LIST shows {stranger}")
        for one in KEYS:
            fits = {"etag": found[one][0], "size": found[one][1]} if one in found else None
            self._saw(one, "LIST", begun, fits)

    def _saw(
        self, key: str, what: str, begun: float, fits: Mapping[str, object] | State | None, own: Write | None = None
    ) -> None:
        self.history.reads[key].append(Read(f"{what} of client {self._number}", begun, time.monotonic(), fits, own))


def _md5_of(etag: str) -> str:
    return md5(bytes.fromhex(etag)).hexdigest()


class Result(Struct, frozen=True):
    """What a run came to."""

    requests: int
    writes: int
    reads: int
    complaints: Sequence[str]


def run(directory: Path, seconds: float, clients: int, workers: int, daemons: int, seed: int) -> Result:
    """Let clients work on a server with ``workers`` and as many single ``daemons`` as said, then judge."""
    with ExitStack() as stack:
        servers = []
        for count in (workers, *[1] * daemons):
            servers.append(Server(directory, count))
            stack.callback(servers[-1].end)
        servers[0].call("PUT", f"/{BUCKET}")
        # The server with workers gets clients by the number of its processes.
        share = [*[servers[0]] * workers, *servers[1:]]
        made = [Client(number, seed, share[number % len(share)]) for number in range(clients)]
        until = time.monotonic() + seconds
        threads = [Thread(target=client.run, args=(until,), daemon=True) for client in made]
        found: list[str] = []
        threads.append(Thread(target=_look_after, args=(directory / "data", until, found), daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    complaints = [complaint for client in made for complaint in client.complaints]
    complaints += check(client.history for client in made)
    complaints += found
    complaints += _leftovers(directory / "data")
    return Result(
        sum(client.count for client in made),
        sum(map(len, (writes for client in made for writes in client.history.writes.values()))),
        sum(map(len, (reads for client in made for reads in client.history.reads.values()))),
        complaints,
    )


def _look_after(data: Path, until: float, found: list[str]) -> None:
    """Look for damage and remove leftovers, again and again, beside the servers."""
    try:
        integrity = integrity_of(data)
        while time.monotonic() < until:
            found += [f"damaged: {step.finding}" for step in integrity.scrub.walk(deep=True) if step.finding]
            for _ in integrity.fsck.find(repair=True):
                pass
            time.sleep(0.2)
    except Exception as error:
        found.append(f"looking after it failed: {error!r}")


def _leftovers(data: Path) -> Sequence[str]:
    """What is damaged or left over when all is done; uploads excepted, that nobody has completed."""
    integrity = integrity_of(data)
    found = [f"damaged: {step.finding}" for step in integrity.scrub.walk(deep=True) if step.finding is not None]
    return [*found, *(f"left over: {one}" for one in integrity.fsck.find(grace=0.0))]
