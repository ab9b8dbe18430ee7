"""A real server, a real receiver, and kill -9: whatever was acknowledged is told, in order for each key.

``S3STORE_PROOF_ROUNDS=100 pytest tests/proofs/test_notifications.py`` makes a hundred rounds.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.proofs.server import Server
from tests.proofs.wire import Connection

ROUNDS = int(os.environ.get("S3STORE_PROOF_ROUNDS", "4"))
SEED = int(os.environ.get("S3STORE_PROOF_SEED", str(random.SystemRandom().randrange(10**6))))
CLIENTS = 4
KEYS = 3
BUCKET = "told"
ARN = "arn:aws:sqs:us-east-1:1:hook"
CONFIGURATION = (
    f"<NotificationConfiguration><QueueConfiguration><Queue>{ARN}</Queue><Event>s3:ObjectCreated:*</Event>"
    "<Event>s3:ObjectRemoved:*</Event></QueueConfiguration></NotificationConfiguration>"
)


class Receiver:
    """An HTTP server that keeps the records of what is POSTed, and fails now and then."""

    def __init__(self, chance: random.Random) -> None:
        self.records: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = 503 if chance.random() < 0.1 else 200
                if status == 200:
                    with receiver.changed:
                        receiver.records += body.get("Records", [])
                        receiver.changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    def end(self) -> None:
        """Stop it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Writer(threading.Thread):
    """Writes and deletes keys of its own without pause, and remembers what was acknowledged.

    :ivar acknowledged: key, and the ETag or "" for a deletion, in order.
    """

    def __init__(self, number: int, server: Server, seed: int) -> None:
        super().__init__()
        self.acknowledged: list[tuple[str, str]] = []
        self.complaints: list[str] = []
        self._keys = [f"{number}-{key}" for key in range(KEYS)]
        self._server = server
        self._chance = random.Random(seed)
        self.stopping = threading.Event()

    def run(self) -> None:
        present: set[str] = set()
        try:
            connection = Connection(self._server.authority)
            while not self.stopping.is_set():
                key = self._chance.choice(self._keys)
                removes = key in present and self._chance.random() < 0.3
                method, body = ("DELETE", b"") if removes else ("PUT", self._chance.randbytes(100))
                connection.send(self._server.signer.request(method, f"/{BUCKET}/{key}", {}, body))
                answer = connection.receive(method)
                if answer.status not in (200, 204):
                    self.complaints.append(f"{method}: {answer.status}")
                    return
                if removes:
                    present.discard(key)
                else:
                    present.add(key)
                self.acknowledged.append((key, "" if removes else answer.headers["etag"].strip('"')))
        except OSError:
            return


class KilledNotifications(SynchronousTestCase):
    """Rounds of writes that end with a kill of all processes, or of one worker."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.chance = random.Random(SEED)
        self.receiver = Receiver(random.Random(SEED))
        self.addCleanup(self.receiver.end)
        config = Path(directory.name, "s3store.toml")
        config.write_text(f'[[targets]]\nname = "hook"\ntype = "webhook"\nurl = "{self.receiver.url}"\n')
        self.server = Server(Path(directory.name), 2, [f"--config={config}"])
        self.addCleanup(lambda: self.server.end())
        self.server.call("PUT", f"/{BUCKET}")
        self.server.call("PUT", f"/{BUCKET}?notification=", None, CONFIGURATION.encode())

    def test_kill(self) -> None:
        promised: list[tuple[str, str]] = []
        for number in range(ROUNDS):
            writers = [Writer(client, self.server, self.chance.randrange(10**6)) for client in range(CLIENTS)]
            for writer in writers:
                writer.start()
            while sum(len(writer.acknowledged) for writer in writers) < self.chance.randrange(20, 60):
                threading.Event().wait(0.005)
            if number % 2 == 0:
                self.server.kill()
                self.join(writers)
                self.server.start()
            else:
                self.server.kill_worker(self.chance.choice(sorted(self.server.pids)))
                self.join(writers)
                self.server.await_workers(1)
            for writer in writers:
                self.assertEqual(writer.complaints, [])
                promised += writer.acknowledged
        self.await_all(promised)
        print(f"\n{ROUNDS} kills: {len(promised)} writes, {len(self.receiver.records)} records")

    def join(self, writers: Sequence[Writer]) -> None:
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join()

    def await_all(self, promised: Sequence[tuple[str, str]]) -> None:
        """Every write that was acknowledged is told, and those of one key in their order."""

        def told() -> bool:
            return all(is_in_order(promises, self.told(key)) for key, promises in by_key.items())

        by_key: dict[str, list[str]] = {}
        for key, etag in promised:
            by_key.setdefault(key, []).append(etag)
        with self.receiver.changed:
            complete = self.receiver.changed.wait_for(told, 60)
        if not complete:
            lacking = {key: (promises, self.told(key)) for key, promises in by_key.items()}
            self.fail(f"S3STORE_PROOF_SEED={SEED}: {lacking}")

    def told(self, key: str) -> list[str]:
        """The ETags (or "") that were told of a key, in the order in which they happened, each once."""
        found = [record["s3"]["object"] for record in self.receiver.records if record["s3"]["object"]["key"] == key]
        firsts: dict[str, str] = {}
        for told in found:
            firsts.setdefault(told["sequencer"], told.get("eTag", ""))
        # Each comes for the first time after all that came before it.
        self.assertEqual(list(firsts), sorted(firsts), key)
        return list(firsts.values())


def is_in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Whether all that is wanted is found, in that order, with anything in between."""
    rest = iter(found)
    return all(one in rest for one in wanted)
