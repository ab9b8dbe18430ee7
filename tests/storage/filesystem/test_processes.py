"""Several processes over one directory, and what a killed one leaves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from msgspec import structs
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, only_if_absent
from twisted_s3.model import ENABLED, NULL_VERSION, Properties
from twisted_s3.protocol.payload import Payload
from twisted_s3.reaper import reap_uploads
from twisted_s3.storage.filesystem.staging import PIECE_BYTES


class ProcessKit(FilesystemKit):
    """A test case with other processes over its directory."""

    def process(self, *options: str) -> subprocess.Popen[str]:
        """A process that uses the directory."""
        command = [sys.executable, "-m", "tests.storage.filesystem.racer", str(self.root), *options]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self._end, process)
        return process

    def ask(self, process: subprocess.Popen[str], line: str) -> None:
        """Tell a process to begin."""
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def answer(self, process: subprocess.Popen[str]) -> str:
        """Wait for what it says."""
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def race(self, processes: Sequence[subprocess.Popen[str]], *lines: str) -> list[str]:
        """Tell each process its line, then hear all of them."""
        for process, line in zip(processes, lines, strict=True):
            self.ask(process, line)
        return [self.answer(process) for process in processes]

    def _end(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        with process:
            pass


class RaceTests(ProcessKit, TestCase):
    """Locks hold between processes and between threads."""

    async def test_one_winner(self) -> None:
        processes = [self.process(), self.process()]
        for key in ("plain", "deep/er", "over//flow", "x" * 300):
            for at in range(5):
                won = self.race(processes, *[f"put {key}{at} 16"] * 2)
                self.assertEqual(sum(map(int, won)), 1, won)

    async def test_one_winner_among_rivals_for_a_path(self) -> None:
        processes = [self.process(), self.process()]
        for at in range(5):
            won = self.race(processes, f"put {at}/a 8", f"put {at}/a/b 8")
            self.assertEqual(won, ["1", "1"])
            self.assertEqual(await self.keys(start=f"{at}/"), [f"{at}/a", f"{at}/a/b"])
            for key in await self.keys():
                self.assertTrue(await self.store.delete_object(BUCKET, key))

    async def test_no_acknowledged_put_is_lost_with_its_bucket(self) -> None:
        processes = [self.process() for _ in range(3)]
        for key in ("k", "a/b/c", "a//b"):
            answers = self.race(
                processes, f"churn contested {key} 60", f"churn contested {key}2 60", "bucket contested 120"
            )
            for answer in answers:
                self.assertEqual(answer.split()[0], "ok", answers)


class CleaningTests(ProcessKit, TestCase):
    """Who starts clears what the dead left, and nothing of the living."""

    async def test_staging(self) -> None:
        dead, living = self.process("named"), self.process("named")
        self.assertEqual(self.race([dead, living], "hold", "hold"), ["holding"] * 2)
        before = self.files(".s3store/staging")
        self.assertEqual(len(before), 2)
        await self.store.clean()
        self.assertEqual(self.files(".s3store/staging"), before)
        dead.kill()
        dead.wait()
        await self.store.clean()
        left = self.files(".s3store/staging")
        self.assertEqual(len(left), 1)
        self.assertIn(left[0], before)

    async def test_one_s_own_bodies_stay(self) -> None:
        staged = await self.store.stage(BUCKET, Payload())
        await staged.write(bytes(PIECE_BYTES))
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        await staged.commit("x", Properties(), only_if_absent)
        self.assertEqual((await self.store.head_object(BUCKET, "x")).size, PIECE_BYTES)

    async def test_half_deleted_folders(self) -> None:
        trash = self.root / ".s3store/staging/trash"
        (trash / "a/b").mkdir(parents=True)
        (trash / "a/c").write_bytes(b"")
        await self.store.clean()
        self.assertEqual(self.files(".s3store"), [name for name in self.files(".s3store") if "trash" not in name])

    async def test_a_half_made_bucket(self) -> None:
        state = self.root / ".s3store/buckets/half-made"
        state.mkdir()
        (state / "bucket.json").write_bytes(b'{"v":1,"created":1.0,"owner":"x"}')
        await self.refused("NoSuchBucket", self.store.get_bucket("half-made"))
        await self.store.clean()
        self.assertFalse(state.exists())

    async def test_versioning_that_another_enabled(self) -> None:
        """What a process remembers of a bucket is a guess, which it checks before it counts."""
        await self.put("x", b"1")
        # A record is remembered once the clock of its file has moved on.
        while BUCKET not in self.store._buckets._known:
            await deferLater(reactor, 0.01)
            self.assertEqual((await self.store.get_bucket(BUCKET)).versioning, "")
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        await other.change_bucket(BUCKET, partial(structs.replace, versioning=ENABLED))
        self.assertEqual(self.store._buckets._known[BUCKET].bucket.versioning, "")
        made = await self.put("x", b"2")
        self.assertNotEqual(made.version_id, NULL_VERSION)
        self.assertEqual((await other.head_object(BUCKET, "x")).version_id, made.version_id)
        self.assertEqual((await other.head_object(BUCKET, "x", NULL_VERSION)).size, 1)

    async def test_old_uploads(self) -> None:
        old, new = await self.begin("a"), await self.begin("b")
        record = self.root / f".s3store/buckets/{BUCKET}/uploads/{old.id}/upload.json"
        record.write_text(record.read_text().replace(f'"initiated":{old.initiated}', '"initiated":1.0'))
        self.assertEqual(await reap_uploads(self.store, old.initiated - 3600), 1)
        self.assertEqual(await self.store.list_uploads(BUCKET), [new])
        self.assertEqual(self.files(".s3store/staging"), [])


class LeaseTests(FilesystemKit, TestCase):
    """One of all stores over a directory has a lease."""

    async def test_one_has_it(self) -> None:
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        release = await self.store.take_lease("job")
        assert release is not None
        self.assertIsNone(await other.take_lease("job"))
        another = await other.take_lease("another")
        assert another is not None
        another()
        release()
        again = await other.take_lease("job")
        assert again is not None
        again()
