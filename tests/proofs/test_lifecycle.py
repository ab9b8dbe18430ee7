"""The lifecycle job of real daemons: one of two has it, its death hands it on, and no write is lost to it."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import PATIENCE
from tests.proofs.server import Server
from tests.proofs.wire import Connection
from tests.protocol.lifecycle.making import body, rule

BUCKET = "/expiring"
#: A day is a second, and there are ten rounds in it.
SHORT = "--lifecycle-day-seconds=1"
RULES = body(rule("<Expiration><Days>1</Days></Expiration>", "<Filter/>", "one"))


def holders(data: Path) -> set[int]:
    """The processes that hold the lease of the job (man 5 proc_locks)."""
    inode = (data / ".s3store/locks/lease-lifecycle").stat().st_ino
    found = set()
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "->" not in fields and fields[1] == "FLOCK" and int(fields[5].rpartition(":")[2]) == inode:
            found.add(int(fields[4]))
    return found


class LifecycleTests(SynchronousTestCase):
    """Two daemons over one directory, and one with two workers."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def start(self, *arguments: str, workers: int = 1) -> Server:
        """A daemon over the directory."""
        server = Server(self.directory, workers, [SHORT, *arguments])
        self.addCleanup(server.end)
        return server

    def keys(self, server: Server) -> list[str]:
        """The keys that are left."""
        return server.call("GET", f"{BUCKET}?list-type=2").texts("Key")

    def wait_for_fewer(self, server: Server, than: int) -> int:
        """Wait until fewer keys are left. Gives how many."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            left = len(self.keys(server))
            if left < than:
                return left
        raise AssertionError(f"there are still {left} keys")

    def test_killed_and_handed_on(self) -> None:
        """The one that has the job is killed in the middle; the other one finishes it."""
        servers = [self.start("--lifecycle-rate=40") for _ in range(2)]
        server = servers[0]
        server.call("PUT", BUCKET)
        for number in range(200):
            server.call("PUT", f"{BUCKET}/{number:03}", None, b"x")
        server.call("PUT", f"{BUCKET}?lifecycle", None, RULES)
        self.wait_for_fewer(server, 200)
        (holder,) = holders(server.data)
        killed, survivor = servers if servers[0].daemon.process.pid == holder else servers[::-1]
        killed.kill()
        left = len(self.keys(survivor))
        self.assertTrue(0 < left < 200, left)
        self.assertEqual(self.wait_for_fewer(survivor, 1), 0)
        removed = 0
        while removed < left:
            done = survivor.daemon.wait_for(r"lifecycle rules changed or removed (\d+) versions and uploads")
            removed += int(done[1])
        self.assertEqual(removed, left)
        others = [line for line in killed.daemon.output if re.search("lifecycle rules changed", line)]
        self.assertEqual(others, [])

    def test_no_write_is_lost(self) -> None:
        """Keys expire while they are written anew: what was just written is there."""
        server = self.start("--lifecycle-rate=0", workers=2)
        server.call("PUT", BUCKET)
        server.call("PUT", f"{BUCKET}?lifecycle", None, RULES)
        lost: list[str] = []
        expired = [0] * 4
        end = time.monotonic() + 8.0

        def write(number: int) -> None:
            target, connection = f"{BUCKET}/{number}", Connection(server.authority)
            count = 0
            while time.monotonic() < end:
                count += 1
                begun = time.time()
                connection.send(server.signer.request("PUT", target, None, b"%d" % count))
                self.assertEqual(connection.receive("PUT").status, 200)
                # Again and again, until it is gone; the next write then races with the removal of this one or the last.
                while time.monotonic() < end:
                    connection.send(server.signer.request("GET", target))
                    answer = connection.receive("GET")
                    if answer.status != 200:
                        expired[number] += 1
                        if time.time() - begun < 1.0:
                            lost.append(f"{number}, write {count}: {answer.status}")
                        break
                    if answer.body != b"%d" % count:
                        lost.append(f"{number}, write {count}: {answer.body!r}")
                    if number % 2 and time.time() - begun > 0.95 + count % 10 / 50:
                        break
            connection.close()

        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(lost, [])
        self.assertGreater(min(expired[0], expired[2]), 0)
