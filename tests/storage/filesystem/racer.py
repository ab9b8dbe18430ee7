"""A process of its own that uses a data directory: told what to do by lines on its standard input.

``put KEY COUNT``: as many threads put the key at once, each only if it is absent; answers how many did.
``churn BUCKET KEY COUNT``: put, look, delete again, over and over; answers ``ok``, or which acknowledged put was lost.
``bucket BUCKET COUNT``: create and delete the bucket over and over; answers ``ok``.
``pile KEY COUNT``: as many threads put the key at once; answers the version ids.
``stir KEY COUNT``: put, delete, and remove versions of the key; answers the ids of what is left.
``hold``: leave a temporary and a half-written body lying, answer ``holding``, and wait to be killed.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from twisted.internet.task import Clock

from tests.storage.kit import BUCKET, PlainPayload, only_if_absent
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, always
from twisted_s3.model import ObjectVersion, Properties
from twisted_s3.storage.filesystem.intake import Intake, TemporaryTarget
from twisted_s3.storage.filesystem.store import FilesystemStore


class Racer:
    """The blocking inside of a store, used without a reactor."""

    def __init__(self, root: str) -> None:
        self.store = FilesystemStore(root, Clock(), durable=False)

    def put_now(self, bucket: str, key: str, condition: Condition = always) -> ObjectVersion:
        """One whole put."""
        layout = self.store._buckets.layout(bucket)
        target = TemporaryTarget(self.store._disk, self.store._files)
        intake = Intake(PlainPayload(), target)
        version = ObjectVersion(key, 1, "c4ca4238a0b923820dcc509a6f75849b", 0.0, Properties())
        return intake.finish(
            [b"1"], lambda digest: self.store._objects.put(target.temporary, layout, version, condition)
        )

    def put(self, key: str, count: str) -> str:
        """Racing puts."""
        barrier = Barrier(int(count))

        def attempt(_: int) -> int:
            barrier.wait()
            try:
                self.put_now(BUCKET, key, only_if_absent)
            except S3Error as error:
                assert error.code == "PreconditionFailed", error
                return 0
            return 1

        with ThreadPoolExecutor(int(count)) as threads:
            return str(sum(threads.map(attempt, range(int(count)))))

    def churn(self, bucket: str, key: str, count: str) -> str:
        """Put, look, delete."""
        layout = self.store._buckets.layout(bucket)
        kept = 0
        for at in range(int(count)):
            try:
                self.put_now(bucket, key)
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    return f"{at}: {error}"
                continue
            kept += 1
            try:
                self.store._lookup.head(layout, key)
                self.store._removal.delete(layout, key, always, None, always, "")
            except S3Error as error:
                return f"lost {at}: {error}"
        return f"ok {kept}"

    def bucket(self, bucket: str, count: str) -> str:
        """Create, delete."""
        for _ in range(int(count)):
            for job in (
                lambda: self.store._buckets.create(bucket, "", "", False, {}),
                lambda: self.store._buckets.delete(self.store._buckets.layout(bucket)),
            ):
                try:
                    job()
                except S3Error as error:
                    if error.code not in ("BucketAlreadyExists", "BucketNotEmpty", "NoSuchBucket"):
                        return str(error)
        return "ok"

    def pile(self, key: str, count: str) -> str:
        """Racing puts, each a version."""
        with ThreadPoolExecutor(int(count)) as threads:
            made = threads.map(lambda _: self.put_now(BUCKET, key).version_id, range(int(count)))
            return " ".join(made)

    def stir(self, key: str, count: str) -> str:
        """Put, delete, and remove some of what was made."""
        layout = self.store._buckets.layout(BUCKET)
        delete = self.store._removal.delete
        kept: list[str] = []
        for at in range(int(count)):
            if at % 5 == 4:
                kept.append(delete(layout, key, always, None, always, "").version_id or "")
            else:
                kept.append(self.put_now(BUCKET, key).version_id)
            if at % 3 == 2:
                delete(layout, key, always, kept.pop(at % len(kept)), always, "")
        return " ".join(kept)

    def hold(self) -> str:
        """Have a temporary with a name, and a lock on it."""
        self.held = self.store._disk.create_temporary(b".s3store/staging")
        return "holding"


def main(root: str) -> None:
    """Obey until the end of the input."""
    racer = Racer(root)
    if "named" in sys.argv:
        racer.store._disk.disk._unnamed = False
    for line in sys.stdin:
        name, *args = line.split()
        print(getattr(racer, name)(*args), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
