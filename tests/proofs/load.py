"""Clients that write, overwrite, copy, complete and delete without pause, and log what they were promised."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import md5
from threading import Condition, Event, Thread
from xml.sax.saxutils import escape

import attrs
from msgspec import structs

from tests.proofs.promises import FILLER, Promises, State
from tests.proofs.server import Server
from tests.proofs.wire import Answer, Connection, complete_document, object_target

BUCKET = "kills"
PART = 5 << 20
SIZES = (0, 1, 100, 4096, 70_000, 600_000, (1 << 20) + 7, 3 << 20)

#: Keys in one folder, keys whose folders come and go, keys in each other's way, and keys that no path can hold.
KEYS = (
    *(f"flat-{n}" for n in range(6)),
    *(f"deep/{n}/er/key" for n in range(6)),
    *("one", "one/two", "one/two/three", "slash/", "twice//slash", "..", "x" * 300, "ü/%41?#+"),
)
SOURCES = tuple(f"source-{n}" for n in range(3))


@attrs.define
class Upload:
    """A multipart upload of one client.

    :ivar parts: the bytes of the acknowledged parts by number.
    :ivar completing: whether a Complete was broken off, so that it may be gone.
    """

    key: str
    id: str
    state: Mapping[str, str]
    sizes: Sequence[int]
    parts: dict[int, bytes] = attrs.field(factory=dict)
    completing: bool = False

    @property
    def etags(self) -> Mapping[int, str]:
        """Number to ETag of the acknowledged parts."""
        return {number: md5(body).hexdigest() for number, body in sorted(self.parts.items())}

    @property
    def whole(self) -> State:
        """What completing it makes of its key."""
        digests = b"".join(bytes.fromhex(etag) for etag in self.etags.values())
        etag = f"{md5(digests).hexdigest()}-{len(self.parts)}"
        return State.of(b"".join(body for _, body in sorted(self.parts.items())), self.state, etag)


class Progress:
    """Counts what the clients begin, for who waits for a moment in the middle of it."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = Condition()

    def step(self) -> None:
        """One more begins."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait_for(self, more: int, seconds: float = 60.0) -> bool:
        """Wait until so many more have begun."""
        with self._changed:
            goal = self._count + more
            return self._changed.wait_for(lambda: self._count >= goal, seconds)


class Client:
    """One client: its own connection, uploads and chance; the keys are everybody's.

    :ivar complaints: what must not be, as sentences.
    """

    def __init__(self, number: int, seed: int, promises: Promises, sources: Mapping[str, State]) -> None:
        self.uploads: list[Upload] = []
        self.complaints: list[str] = []
        self._number = number
        self._chance = random.Random(f"{seed}/{number}")
        self._promises = promises
        self._sources = sources
        self._made = 0
        self._connection: Connection | None = None
        self._actions: Sequence[tuple[int, Callable[[], None]]] = (
            (28, self._put),
            (10, self._copy),
            (12, self._delete),
            (5, self._delete_many),
            (25, self._work_on_upload),
            (15, self._get),
            (5, self._list),
        )

    def run(self, server: Server, stop: Event, progress: Progress) -> None:
        """Do one thing after the other until told to stop, or nobody listens any more."""
        self._server = server
        weights = [weight for weight, _ in self._actions]
        try:
            while not stop.is_set():
                try:
                    if self._connection is None:
                        self._connection = Connection(server.authority)
                except OSError:
                    return
                progress.step()
                [(_, action)] = self._chance.choices(self._actions, weights)
                try:
                    action()
                except OSError:
                    self._close()
        except Exception as error:
            self.complaints.append(f"client {self._number} failed: {error!r}")
        finally:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        assert self._connection is not None
        self._connection.send(self._server.signer.request(method, target, headers, body))
        answer = self._connection.receive(method)
        if answer.status >= 500:
            self.complaints.append(f"{method} {target}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer

    def _write(
        self, method: str, target: str, changes: Mapping[str, State | None], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """A request that changes keys, logged."""
        writes = {key: self._promises.begin(key, state) for key, state in changes.items()}
        try:
            answer = self._call(method, target, headers, body)
        except OSError:
            for write in writes.values():
                self._promises.break_off(write)
            raise
        for key, write in writes.items():
            if answer.status < 300:
                self._promises.acknowledge(write)
            elif answer.status < 500:
                self._promises.refuse(key, write)
            else:
                self._promises.break_off(write)
        return answer

    def _name(self) -> Mapping[str, str]:
        """Metadata that no other write has; now and then more than fits an inode."""
        self._made += 1
        meta = {"write": f"{self._number}-{self._made}"}
        if self._chance.random() < 0.1:
            meta[FILLER] = "f" * 1500
        return meta

    def _key(self) -> str:
        return self._chance.choice(KEYS)

    def _expect(self, answer: Answer, *statuses: int) -> None:
        if answer.status not in statuses and answer.status < 500:
            self.complaints.append(f"{answer.status} instead of {statuses}: {answer.body.decode(errors='replace')}")

    def _put(self) -> None:
        key, body = self._key(), self._chance.randbytes(self._chance.choice(SIZES))
        state = State.of(body, self._name())
        self._expect(self._write("PUT", object_target(BUCKET, key), {key: state}, state.headers, body), 200)

    def _copy(self) -> None:
        key, source = self._key(), self._chance.choice(SOURCES)
        state = structs.replace(self._sources[source], meta=self._name())
        headers = {
            **state.headers,
            "x-amz-copy-source": f"/{BUCKET}/{source}",
            "x-amz-metadata-directive": "REPLACE",
        }
        self._expect(self._write("PUT", object_target(BUCKET, key), {key: state}, headers, b""), 200)

    def _delete(self) -> None:
        key = self._key()
        self._expect(self._write("DELETE", object_target(BUCKET, key), {key: None}, {}, b""), 204)

    def _delete_many(self) -> None:
        keys = self._chance.sample(KEYS, 4)
        objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        document = f"<Delete>{objects}</Delete>".encode()
        digest = {"Content-MD5": b64encode(md5(document).digest()).decode()}
        answer = self._write("POST", f"/{BUCKET}?delete=", dict.fromkeys(keys), digest, document)
        self._expect(answer, 200)
        if answer.status == 200 and (sorted(answer.texts("Key")) != sorted(keys) or answer.texts("Code")):
            self.complaints.append(f"DeleteObjects: {answer.body.decode()}")

    def _get(self) -> None:
        """While others write, a key holds one of their writes, whole."""
        answer = self._call("GET", object_target(BUCKET, self._key()))
        self._expect(answer, 200, 404)
        if answer.status == 200:
            seen = State.seen(answer)
            if "-" not in seen.etag and seen.etag != seen.md5:
                self.complaints.append(f"GET has mixed two writes: {seen}")

    def _list(self) -> None:
        answer = self._call("GET", f"/{BUCKET}?list-type=2")
        self._expect(answer, 200)
        strangers = set(answer.texts("Key")) - {*KEYS, *SOURCES}
        if strangers:
            self.complaints.append(f"LIST shows {strangers}")

    def _work_on_upload(self) -> None:
        """Begin an upload, send a part of one, or complete one."""
        if len(self.uploads) < 2:
            self._begin_upload()
            return
        upload = self._chance.choice(self.uploads)
        missing = [number for number in range(1, len(upload.sizes) + 1) if number not in upload.parts]
        if missing or self._chance.random() < 0.2:
            self._send_part(upload, self._chance.choice(missing or range(1, len(upload.sizes) + 1)))
        else:
            self._complete(upload)

    def _begin_upload(self) -> None:
        key, meta = self._key(), self._name()
        headers = State.of(b"", meta).headers
        answer = self._call("POST", f"{object_target(BUCKET, key)}?uploads=", headers)
        self._expect(answer, 200)
        last = self._chance.choice((1, 4096, 600_000))
        sizes = self._chance.choice(((last,), (PART, last), (PART, PART + 1, last)))
        if answer.status == 200:
            self.uploads.append(Upload(key, answer.text("UploadId"), meta, sizes))

    def _send_part(self, upload: Upload, number: int) -> None:
        body = self._chance.randbytes(upload.sizes[number - 1])
        before = upload.parts.pop(number, None)
        target = f"{object_target(BUCKET, upload.key)}?partNumber={number}&uploadId={upload.id}"
        answer = self._call("PUT", target, {}, body)
        self._expect(answer, 200, *self._gone(upload))
        if answer.status == 200:
            upload.parts[number] = body
        elif answer.status == 404:
            self.uploads.remove(upload)
        elif before is not None:
            upload.parts[number] = before

    def _complete(self, upload: Upload) -> None:
        target = f"{object_target(BUCKET, upload.key)}?uploadId={upload.id}"
        expected = (200, *self._gone(upload))
        upload.completing = True
        answer = self._write("POST", target, {upload.key: upload.whole}, {}, complete_document(upload.etags))
        self._expect(answer, *expected)
        self.uploads.remove(upload)

    def _gone(self, upload: Upload) -> Sequence[int]:
        """What an upload may answer whose Complete was broken off: it may have become an object, since replaced."""
        return (404,) if upload.completing else ()


class Load:
    """Several clients at work."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.progress = Progress()
        self._clients = clients
        self._stop = Event()
        self._threads: list[Thread] = []

    def start(self, server: Server) -> None:
        """Begin."""
        for client in self._clients:
            thread = Thread(target=client.run, args=(server, self._stop, self.progress), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let each finish what it is doing."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
