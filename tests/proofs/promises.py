"""What a server has promised, kept by its clients: which states of a key its answers still allow."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from hashlib import md5
from threading import Lock

import attrs
from msgspec import Struct

from tests.proofs.wire import Answer

_META = "x-amz-meta-"

#: Metadata of this name asks for more of it.
FILLER = "filler"


class State(Struct, frozen=True):
    """What a key holds: the bytes, and all that goes with them.

    :ivar md5: of the bytes.
    :ivar meta: ``x-amz-meta-*`` without that prefix, one of which names the write that made it.
    """

    etag: str
    md5: str
    size: int
    meta: Mapping[str, str]

    @classmethod
    def of(cls, body: bytes, meta: Mapping[str, str], etag: str = "") -> State:
        """What a write of ``body`` makes; the ETag is the MD5 unless given."""
        digest = md5(body).hexdigest()
        return cls(etag or digest, digest, len(body), meta)

    @classmethod
    def seen(cls, answer: Answer) -> State:
        """What a GET has shown."""
        meta = {name.removeprefix(_META): value for name, value in answer.headers.items() if name.startswith(_META)}
        return cls.of(answer.body, meta, answer.etag)

    @property
    def headers(self) -> Mapping[str, str]:
        """The metadata as a request carries it; with a filler more than fits an inode of ext4."""
        headers = {_META + name: value for name, value in self.meta.items()}
        if FILLER in self.meta:
            headers["Content-Disposition"] = f"attachment; filename={'f' * 3000}"
        return headers


@attrs.define(eq=False)
class Write:
    """One attempt to change a key.

    :ivar state: what the key then holds, None for nothing.
    :ivar ended: when its outcome was known, or it could have no effect any more.
    """

    state: State | None
    begun: float
    ended: float = math.inf
    acknowledged: bool = False


class Promises:
    """The writes of all clients since the keys were last looked at. For many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._writes: dict[str, list[Write]] = {}
        self.acknowledged = 0
        self.broken_off = 0

    def begin(self, key: str, state: State | None) -> Write:
        """A request that changes ``key`` to ``state`` is about to be sent."""
        write = Write(state, time.monotonic())
        with self._lock:
            self._writes.setdefault(key, [_untouched()]).append(write)
        return write

    def acknowledge(self, write: Write) -> None:
        """It was answered with success."""
        with self._lock:
            write.acknowledged = True
            write.ended = time.monotonic()
            self.acknowledged += 1

    def break_off(self, write: Write) -> None:
        """The connection broke, as its server is dead: it may have happened, but will not any more."""
        with self._lock:
            write.ended = time.monotonic()
            self.broken_off += 1

    def refuse(self, key: str, write: Write) -> None:
        """It was answered with a refusal, so that it must have changed nothing."""
        with self._lock:
            self._writes[key].remove(write)

    def written(self) -> Sequence[str]:
        """All keys that were ever written."""
        return sorted(self._writes)

    def possible(self, key: str) -> Sequence[State | None]:
        """What the key may hold, now that nothing is under way: the writes that no acknowledged later one covers."""
        writes = self._writes.get(key, [_untouched()])
        return [
            write.state
            for write in writes
            if not any(other.acknowledged and other.begun > write.ended for other in writes)
        ]

    def settle(self, key: str, state: State | None) -> None:
        """The key was looked at: what it holds is what it must hold from now on."""
        self._writes[key] = [Write(state, -math.inf, -math.inf, True)]


def _untouched() -> Write:
    return Write(None, -math.inf, -math.inf, True)
