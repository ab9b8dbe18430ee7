"""Conditional writes: of many that are released together against several processes, exactly one wins."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.proofs.server import Server
from tests.proofs.wire import Answer, Connection, complete_document, object_target

RACERS = 32
WORKERS = 4
BUCKET = "/races"
MISSING = {"If-None-Match": "*"}

#: The answers that losers may get.
LOST = {409, 412}
LOST_OR_GONE = {*LOST, 404}


class RaceTests(SynchronousTestCase):
    """Every worker has an equal share of the connections; all requests are signed before the start."""

    rounds = 50

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.server = self.start_server()
        self.addCleanup(self.server.end)
        self.server.call("PUT", BUCKET)
        self.connections = self.connect_evenly()
        self.pool = ThreadPoolExecutor(RACERS)
        self.addCleanup(self.pool.shutdown)

    def start_server(self) -> Server:
        """The server that is asked what became of it."""
        return Server(self.directory, WORKERS)

    def connect_evenly(self) -> Sequence[Connection]:
        """As many connections to each worker."""
        share: dict[int, list[Connection]] = {pid: [] for pid in self.server.pids.values()}
        for _ in range(100):
            fresh = [Connection(self.server.authority) for _ in range(RACERS)]
            for connection in fresh:
                self.addCleanup(connection.close)
                connection.send(self.server.signer.request("HEAD", BUCKET))
                connection.receive("HEAD")
            for connection, pid in zip(fresh, self.server.process_of(fresh), strict=True):
                share[pid].append(connection)
            if all(len(connections) >= RACERS // WORKERS for connections in share.values()):
                return [connection for connections in share.values() for connection in connections[: RACERS // WORKERS]]
        raise AssertionError(f"some workers take too few connections: {share}")

    def race(self, method: str, requests: Sequence[bytes]) -> Sequence[Answer]:
        """Send one request on each connection at the same time."""
        barrier = threading.Barrier(len(requests))

        def run(connection: Connection, request: bytes) -> Answer:
            barrier.wait()
            connection.send(request)
            return connection.receive(method)

        return list(self.pool.map(run, self.connections, requests))

    def together(self, requests: Sequence[bytes], method: str = "PUT") -> Sequence[Answer]:
        """Requests that must all succeed."""
        answers = self.race(method, requests)
        for answer in answers:
            self.assertIn(answer.status, (200, 204), answer.body)
        return answers

    def winner(self, answers: Sequence[Answer], lost: set[int]) -> int:
        """The only one that won."""
        statuses = [answer.status for answer in answers]
        winners = [at for at, status in enumerate(statuses) if status < 300]
        self.assertEqual(len(winners), 1, f"winners among {statuses}")
        self.assertLessEqual(set(statuses) - {statuses[winners[0]]}, lost)
        return winners[0]

    def assert_holds(self, key: str, expected: bytes) -> None:
        self.assertEqual(self.server.call("GET", object_target(BUCKET[1:], key)).body, expected)

    def sign(self, method: str, key: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
        return self.server.signer.request(method, f"{BUCKET}/{key}", headers, body)

    def assert_one_creates(self, keys: Iterator[str], requests: Callable[[str], Sequence[bytes]]) -> None:
        """Exactly one of the requests for each key puts its ``body_of`` there."""
        for key in islice(keys, self.rounds):
            won = self.winner(self.race("PUT", requests(key)), LOST)
            self.assert_holds(key, body_of(won))

    def test_put_if_none_match(self) -> None:
        self.assert_one_creates(
            keys_of("put"), lambda key: [self.sign("PUT", key, MISSING, body_of(n)) for n in range(RACERS)]
        )

    def test_copy_if_none_match(self) -> None:
        self.together([self.sign("PUT", f"source-{n}", body=body_of(n)) for n in range(RACERS)])
        self.assert_one_creates(
            keys_of("copy"),
            lambda key: [
                self.sign("PUT", key, {**MISSING, "x-amz-copy-source": f"{BUCKET}/source-{n}"}) for n in range(RACERS)
            ],
        )

    def test_complete_if_none_match(self) -> None:
        key, etags = "complete", [""] * RACERS
        uploads = self.begin_uploads(key, range(RACERS), etags)
        for _ in range(self.rounds):
            requests = [
                self.sign("POST", f"{key}?uploadId={uploads[n]}", MISSING, complete_document({1: etags[n]}))
                for n in range(RACERS)
            ]
            won = self.winner(self.race("POST", requests), LOST)
            self.assert_holds(key, body_of(won))
            # The losers' uploads are as before: they race again, with a new one in place of the winner's.
            self.server.call("DELETE", f"{BUCKET}/{key}")
            uploads |= self.begin_uploads(key, [won], etags)

    def test_complete_against_delete(self) -> None:
        """Uploads that began beside an object may not take its place when it goes: they came too late for that."""
        key, etags = "deleted", [""] * RACERS
        for _ in range(self.rounds // 5):
            self.server.call("PUT", f"{BUCKET}/{key}", None, b"in the way")
            uploads = self.begin_uploads(key, range(1, RACERS), etags)
            requests = [
                self.sign("POST", f"{key}?uploadId={upload}", MISSING, complete_document({1: etags[n]}))
                for n, upload in uploads.items()
            ]
            deletion, *completions = self.race("POST", [self.sign("DELETE", key), *requests])
            self.assertEqual(deletion.status, 204)
            self.assertLessEqual({answer.status for answer in completions}, {409, 412})
            late = {answer.status for answer in self.race("POST", requests)}
            self.assertEqual(late, {409}, "after the deletion all are in conflict with it")
            self.server.call("GET", object_target(BUCKET[1:], key), None, b"", 404)

    def begin_uploads(self, key: str, numbers: Sequence[int], etags: list[str]) -> dict[int, str]:
        """Uploads with one part each; number of the racer to upload id."""
        begun = self.together([self.sign("POST", f"{key}?uploads=") for _ in numbers], "POST")
        uploads = {n: answer.text("UploadId") for n, answer in zip(numbers, begun, strict=True)}
        parts = [
            self.sign("PUT", f"{key}?partNumber=1&uploadId={upload}", body=body_of(n)) for n, upload in uploads.items()
        ]
        for n, answer in zip(numbers, self.together(parts), strict=True):
            etags[n] = answer.etag
        return uploads

    def test_put_if_match(self) -> None:
        key, etag = "replaced", self.server.call("PUT", f"{BUCKET}/replaced", None, b"the first").etag
        for turn in range(self.rounds):
            bodies = [body_of(n) + b" in turn %d" % turn for n in range(RACERS)]
            answers = self.race("PUT", [self.sign("PUT", key, {"If-Match": f'"{etag}"'}, body) for body in bodies])
            won = self.winner(answers, LOST)
            self.assert_holds(key, bodies[won])
            etag = answers[won].etag

    def test_delete_if_match(self) -> None:
        for key in islice(keys_of("deleted"), self.rounds):
            etag = self.server.call("PUT", f"{BUCKET}/{key}", None, key.encode()).etag
            answers = self.race("DELETE", [self.sign("DELETE", key, {"If-Match": f'"{etag}"'})] * RACERS)
            self.winner(answers, LOST_OR_GONE)
            self.server.call("GET", f"{BUCKET}/{key}", None, b"", 404)

    def test_put_against_delete_if_match(self) -> None:
        for key in islice(keys_of("contested"), self.rounds):
            match = {"If-Match": f'"{self.server.call("PUT", f"{BUCKET}/{key}", None, key.encode()).etag}"'}
            requests = [
                self.sign("DELETE", key, match) if n % 2 else self.sign("PUT", key, match, body_of(n))
                for n in range(RACERS)
            ]
            won = self.winner(self.race("PUT", requests), LOST_OR_GONE)
            if won % 2:
                self.server.call("GET", f"{BUCKET}/{key}", None, b"", 404)
            else:
                self.assert_holds(key, body_of(won))


class DaemonRaceTests(RaceTests):
    """Two daemons that know nothing of each other but the directory."""

    rounds = 5

    def start_server(self) -> Server:
        return Server(self.directory)

    def connect_evenly(self) -> Sequence[Connection]:
        """As many connections to each daemon, one beside the other."""
        other = Server(self.directory)
        self.addCleanup(other.end)
        made = [Connection(server.authority) for _ in range(RACERS // 2) for server in (self.server, other)]
        for connection in made:
            self.addCleanup(connection.close)
        return made


def body_of(racer: int) -> bytes:
    """What a racer writes."""
    return b"of racer %d" % racer


def keys_of(prefix: str) -> Iterator[str]:
    """Keys that were not there before."""
    at = 0
    while True:
        yield f"{prefix}-{at}"
        at += 1
