"""The blocking server: its life, what it leaves behind, and what it shares with others."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import SkipTest

import boto3
from botocore.exceptions import ClientError
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.credentials import canonical_id
from twisted_s3.interfaces import IObjectStore
from twisted_s3.listeners import ListenError
from twisted_s3.model import Properties, User
from twisted_s3.protocol.payload import Payload
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.testing import S3Server

ROOT = Path(__file__).parent.parent.parent


def descriptors() -> list[str]:
    """What this process has open, but for what the list itself needs."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return sorted(found)


class Life(SynchronousTestCase):
    """Starting and stopping."""

    def setUp(self) -> None:
        """Let Twisted open what it keeps for good: a spare descriptor, for when there are no more."""
        with S3Server():
            pass

    def test_serves(self) -> None:
        """A client gets back what it put, over HTTP and HTTPS."""
        for tls in (False, True):
            with S3Server(tls=tls) as s3:
                client = s3.client()
                client.create_bucket(Bucket="bucket")
                client.put_object(Bucket="bucket", Key="k", Body=b"x" * 300_000)
                self.assertEqual(client.get_object(Bucket="bucket", Key="k")["Body"].read(), b"x" * 300_000)
                self.assertEqual(s3.endpoint_url.partition(":")[0], "https" if tls else "http")
                [put] = s3.requests.of("PutObject")
                trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
                self.assertEqual(put.headers["x-amz-content-sha256"] == trailer, tls)

    def test_nothing_is_left(self) -> None:
        """No thread, no descriptor, no file, no listening socket; also while clients are still connected."""
        with S3Server(tls=True) as warm:
            warm.client().list_buckets()
        # What other tests have left to the collector may go meanwhile; nothing may come.
        threads, before = set(threading.enumerate()), set(descriptors())
        for tls in (False, True, False):
            server = S3Server(tls=tls).start()
            authority = Path(server.ca_file or os.devnull)
            self.assertTrue(authority.exists())
            with socket.create_connection(("127.0.0.1", int(server.endpoint_url.rpartition(":")[2]))):
                server.client().list_buckets()
                server.stop()
            self.assertEqual(authority.exists(), not tls)
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", int(server.endpoint_url.rpartition(":")[2])))
        self.assertEqual((set(threading.enumerate()) - threads, set(descriptors()) - before), (set(), set()))

    def test_running_requests_are_broken_off(self) -> None:
        """Stopping does not wait for an operation that waits."""
        server = S3Server().start()
        server.faults.delay("ListBuckets", 3600)
        with socket.create_connection(("127.0.0.1", int(server.endpoint_url.rpartition(":")[2]))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not server.faults.waiting:
                time.sleep(0.001)
            server.stop()
            client.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(client.recv(1000), b"")

    def test_no_global_reactor(self) -> None:
        """The global reactor is not even imported: whoever wants one can still choose which."""
        program = (
            "import sys\n"
            "from twisted_s3.testing import S3Server\n"
            "for tls in (False, True):\n"
            "    with S3Server(tls=tls) as s3:\n"
            "        s3.create_bucket('bucket'); s3.client().put_object(Bucket='bucket', Key='k', Body=b'v')\n"
            "        s3.clock.advance(10); s3.reset()\n"
            "sys.exit('twisted.internet.reactor' in sys.modules)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_light_import(self) -> None:
        """What costs and may not be needed is not imported with the kit."""
        program = (
            "import sys\n"
            "import twisted_s3.testing\n"
            "heavy = {'boto3', 'botocore', 'treq', 'nats', 'pytest', 'twisted_s3.delivery', 'twisted_s3.tap',\n"
            "    'awscrt', 'lxml', 'automat'}\n"
            "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_restart(self) -> None:
        """A server starts again, empty; twice started it refuses; stopped twice it does not mind."""
        server = S3Server()
        for _ in range(2):
            with server:
                self.assertRaises(RuntimeError, server.start)
                self.assertEqual(server.client().list_buckets()["Buckets"], [])
                server.create_bucket("bucket")
        server.stop()
        self.assertRaises(RuntimeError, server.reset)

    def test_port_is_taken(self) -> None:
        """The error comes to who starts it, and nothing is left behind."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            before, threads = descriptors(), threading.active_count()
            server = S3Server(port=taken.getsockname()[1])
            self.assertRaises(ListenError, server.start)
            self.assertEqual((descriptors(), threading.active_count()), (before, threads))

    def test_start_and_stop_take_milliseconds(self) -> None:
        """20 ms at most, when the machine has time: the best of some."""
        best = min(_timed() for _ in range(10))
        self.assertLess(best, 0.02)


def _timed() -> float:
    began = time.perf_counter()
    with S3Server():
        pass
    return time.perf_counter() - began


class Kept(SynchronousTestCase):
    """What a server holds."""

    def test_many(self) -> None:
        """Servers of one process share nothing."""
        with S3Server() as one, S3Server() as two, S3Server(tls=True) as three:
            one.create_bucket("bucket")
            self.assertEqual(
                [len(s3.client().list_buckets()["Buckets"]) for s3 in (one, two, three)],
                [1, 0, 0],
            )
            one.faults.fail("ListBuckets", times=None)
            one.clock.advance(3600)
            two.client().list_buckets()
            self.assertEqual(len(two.requests), 2)

    def test_reset(self) -> None:
        """As new: no bucket, no fault, no request, the present time; the same address; and at once, however much
        there was."""
        with S3Server() as s3:
            client = s3.client()
            s3.create_bucket("bucket")
            client.put_object(Bucket="bucket", Key="k", Body=b"v")
            s3.faults.fail("ListBuckets", times=None)
            s3.clock.advance(3600)
            s3.reset()
            self.assertEqual(len(s3.requests), 0)
            self.assertEqual(client.list_buckets()["Buckets"], [])
            self.assertLess(abs(s3.clock.time - time.time()), 60)

    def test_reset_takes_no_longer_for_more(self) -> None:
        """Ten thousand objects are forgotten as quickly as none, though to free them takes longer than that."""

        async def fill(store: IObjectStore, bucket: str) -> None:
            for number in range(10_000):
                staged = await store.stage(bucket, Payload(()))
                await staged.commit(f"k{number}", Properties())

        def timed(s3: S3Server) -> float:
            began = time.perf_counter()
            s3.reset()
            return time.perf_counter() - began

        with S3Server() as s3:
            thread = s3._running_thread()
            full = []
            for _ in range(3):
                bucket = s3.create_bucket()
                thread.call(lambda bucket=bucket: Deferred.fromCoroutine(fill(s3._assembly.store, bucket)))
                full.append(timed(s3))
            self.assertLess(min(full), 0.005)

    def test_buckets(self) -> None:
        """Buckets without requests: a name that nobody has, and away with all that is in it."""
        with S3Server() as s3:
            one, two = s3.create_bucket(), s3.create_bucket()
            self.assertNotEqual(one, two)
            for number in range(3):
                s3.client().put_object(Bucket=one, Key=f"k{number}", Body=b"v")
            s3.client().put_bucket_versioning(Bucket=one, VersioningConfiguration={"Status": "Enabled"})
            s3.client().put_object(Bucket=one, Key="k0", Body=b"newer")
            s3.client().delete_object(Bucket=one, Key="k1")
            s3.delete_bucket(one)
            s3.delete_bucket(one)
            self.assertEqual([b["Name"] for b in s3.client().list_buckets()["Buckets"]], [two])

    def test_users_and_region(self) -> None:
        """Further users own their buckets; the region is the one that was asked for; so are the keys."""
        bob = User("BOBSKEY", "bobs-secret", canonical_id("BOBSKEY"))
        with S3Server(users=[bob], region="eu-north-1", access_key="MYKEY", secret_key="my-secret-key") as s3:
            self.assertEqual(s3.client()._request_signer._credentials.access_key, "MYKEY")
            s3.create_bucket("bucket")
            self.assertEqual(s3.client().head_bucket(Bucket="bucket")["BucketRegion"], "eu-north-1")
            with self.assertRaises(ClientError) as refused:
                s3.client(user=bob).list_objects_v2(Bucket="bucket")
            self.assertEqual(refused.exception.response["Error"]["Code"], "AccessDenied")

    def test_another_store(self) -> None:
        """Any store can be served; one of files can not be reset."""
        folder = self.enterContext(TemporaryDirectory())
        with S3Server(make_store=lambda reactor, clock: FilesystemStore(Path(folder), reactor)) as s3:
            s3.create_bucket("bucket")
            s3.client().put_object(Bucket="bucket", Key="k", Body=b"v")
            self.assertEqual((Path(folder) / "bucket" / "k").read_bytes(), b"v")
            self.assertRaises(TypeError, s3.reset)

    def test_virtual_hosts(self) -> None:
        """A bucket's name in the host, with a certificate that covers it."""
        with S3Server(domains=["s3.localhost"], tls=True) as s3:
            s3.create_bucket("bucket")
            url = s3.endpoint_url.replace("127.0.0.1", "s3.localhost")
            try:
                socket.getaddrinfo("bucket.s3.localhost", 443)
            except OSError:
                raise SkipTest("names below localhost do not resolve here") from None
            from botocore.config import Config

            client = s3.client(endpoint_url=url, config=Config(s3={"addressing_style": "virtual"}))
            client.put_object(Bucket="bucket", Key="k", Body=b"v")
            self.assertEqual(s3.requests.of("PutObject")[0].target, "/k")

    def test_events(self) -> None:
        """What happens to objects is told in process."""
        with S3Server() as s3:
            heard: list[str] = []
            s3.events.subscribe("ObjectCreated:*", lambda record: heard.append(record["s3"]["object"]["key"]))
            s3.client().put_object(Bucket=s3.create_bucket(), Key="a b", Body=b"v")
            self.assertEqual(heard, ["a+b"])


class Found(SynchronousTestCase):
    """How clients find a server."""

    def test_environment(self) -> None:
        """A process that knows only the environment, over HTTPS."""
        with S3Server(tls=True) as s3:
            s3.create_bucket("bucket")
            program = "import boto3; print([b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']])"
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            done = subprocess.run(
                [sys.executable, "-c", program],
                env=inherited | dict(s3.environment),
                capture_output=True,
                text=True,
                timeout=120,
            )
            self.assertEqual(done.stdout, "['bucket']\n", done.stderr)

    def test_arguments(self) -> None:
        """Arguments for a client that is made elsewhere."""
        with S3Server() as s3:
            client = boto3.session.Session().client("s3", **s3.client_arguments)
            client.create_bucket(Bucket="bucket")
            client.close()
            self.assertEqual(s3.requests.operations, ["CreateBucket"])
