"""Killing the server in the middle of everything: what was acknowledged is there, what was not is whole or absent.

``S3STORE_PROOF_ROUNDS=100 pytest tests/proofs/test_kill.py`` makes a hundred rounds; ``S3STORE_PROOF_SEED`` makes the
same choices again.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
import threading
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import md5
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from twisted.trial.unittest import SynchronousTestCase

from tests.proofs.load import BUCKET, SIZES, SOURCES, Client, Load
from tests.proofs.promises import Promises, State
from tests.proofs.server import Server
from tests.proofs.wire import object_target
from twisted_s3.commands.offline import integrity_of

ROUNDS = int(os.environ.get("S3STORE_PROOF_ROUNDS", "10"))
SEED = int(os.environ.get("S3STORE_PROOF_SEED", str(random.SystemRandom().randrange(10**6))))
CLIENTS = 6
WORKERS = 2
BELONGS = re.compile(r"locks/((bucket|key|upload)-\d+|lease-[a-z-]+)|notes/[a-z-]+")


class KillTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.server = Server(Path(directory.name), WORKERS)
        self.addCleanup(lambda: self.server.end())
        self.chance = random.Random(SEED)
        self.promises = Promises()
        self.server.call("PUT", f"/{BUCKET}")
        sources = {key: self.put_source(key, size) for key, size in zip(SOURCES, (0, 5000, SIZES[-1]), strict=True)}
        self.clients = [Client(number, SEED, self.promises, sources) for number in range(CLIENTS)]

    def put_source(self, key: str, size: int) -> State:
        body = self.chance.randbytes(size)
        state = State.of(body, {"write": key})
        self.server.call("PUT", f"/{BUCKET}/{key}", state.headers, body)
        self.promises.begin(key, state)
        self.promises.settle(key, state)
        return state

    def test_kill(self) -> None:
        for number in range(ROUNDS):
            with self.explained(number):
                self.make_round(all_at_once=number % 2 == 0)
        self.assertGreater(self.promises.broken_off, 0)
        self.assert_can_be_removed()
        print(f"\n{ROUNDS} kills: {self.promises.acknowledged} writes kept, {self.promises.broken_off} broken off")

    def explained(self, number: int) -> _Explained:
        return _Explained(f"in round {number} with S3STORE_PROOF_SEED={SEED}")

    def make_round(self, all_at_once: bool) -> None:
        load = Load(self.clients)
        load.start(self.server)
        self.assertTrue(load.progress.wait_for(self.chance.randrange(20, 120)))
        # Not right at the beginning of a request, but anywhere in it.
        threading.Event().wait(self.chance.random() * 0.03)
        if all_at_once:
            self.server.kill()
            load.stop()
            self.server.start()
        else:
            self.server.kill_worker(self.chance.choice(sorted(self.server.pids)))
            self.assertTrue(load.progress.wait_for(20))
            load.stop()
            self.server.await_workers(1)
        self.assertEqual([complaint for client in self.clients for complaint in client.complaints], [])
        self.check_keys()
        self.check_uploads()
        self.check_staging()

    def check_keys(self) -> None:
        """Every key holds what it may, and LIST tells the same as GET."""
        held = {key: self.look_at(key) for key in self.promises.written()}
        for key, state in held.items():
            self.assertIn(state, self.promises.possible(key), key)
            self.promises.settle(key, state)
        expected = {key: (state.etag, state.size) for key, state in held.items() if state is not None}
        self.assertEqual(self.listed(), expected)

    def look_at(self, key: str) -> State | None:
        answer = self.server.call("GET", object_target(BUCKET, key), None, b"", 200, 404)
        return State.seen(answer) if answer.status == 200 else None

    def listed(self) -> Mapping[str, tuple[str, int]]:
        """All keys that LIST shows, by pages of seven, with ETag and size."""
        found: dict[str, tuple[str, int]] = {}
        token = ""
        while True:
            more = f"continuation-token={quote(token, safe='')}&" if token else ""
            page = self.server.call("GET", f"/{BUCKET}?{more}list-type=2&max-keys=7")
            etags = [etag.strip('"') for etag in page.texts("ETag")]
            keys, sizes = page.texts("Key"), map(int, page.texts("Size"))
            self.assertFalse(found.keys() & set(keys))
            found.update(zip(keys, zip(etags, sizes, strict=True), strict=True))
            token = page.text("NextContinuationToken")
            if not token:
                return found

    def check_uploads(self) -> None:
        """Every acknowledged part is there; an upload that is gone was being completed."""
        for client in self.clients:
            for upload in list(client.uploads):
                target = f"{object_target(BUCKET, upload.key)}?uploadId={upload.id}"
                answer = self.server.call("GET", target, None, b"", 200, 404)
                if answer.status == 404:
                    self.assertTrue(upload.completing, f"the upload {upload.id} is lost")
                    client.uploads.remove(upload)
                    continue
                numbers = map(int, answer.texts("PartNumber"))
                etags = [etag.strip('"') for etag in answer.texts("ETag")]
                listed = dict(zip(numbers, etags, strict=True))
                self.assertEqual({**listed, **upload.etags}, listed)

    def check_staging(self) -> None:
        """Whatever crashed has left nothing, once a process has started again."""
        self.assertEqual(os.listdir(self.server.data / ".s3store/staging"), [])

    def assert_can_be_removed(self) -> None:
        """The bucket can be emptied and deleted, and nothing of it stays."""
        versions = self.server.call("GET", f"/{BUCKET}?versions=")
        keys = versions.texts("Key")
        objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        document = f"<Delete>{objects}</Delete>".encode()
        digest = {"Content-MD5": b64encode(md5(document).digest()).decode()}
        answer = self.server.call("POST", f"/{BUCKET}?delete=", digest, document)
        self.assertEqual(sorted(answer.texts("Key")), sorted(keys))
        self.assertEqual(answer.texts("Code"), [])
        self.server.call("DELETE", f"/{BUCKET}")
        self.server.end()
        self.assertEqual(os.listdir(self.server.data), [".s3store"])
        # A record beside its object may stay when a kill comes between the two.
        for _ in integrity_of(self.server.data).fsck.find(repair=True, grace=0.0):
            pass
        self.assertEqual(strangers(self.server.data / ".s3store"), [])


def strangers(state: Path) -> Sequence[str]:
    """What is in our own folder of a data directory without buckets and does not belong there."""
    found = [path.relative_to(state) for path in state.rglob("*") if not path.is_dir()]
    found += [path.relative_to(state) for path in (state / "buckets").iterdir()]
    return [str(path) for path in found if not BELONGS.fullmatch(str(path))]


class _Explained:
    """Says in which round an assertion failed."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            error.add_note(self._where)
