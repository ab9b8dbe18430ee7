"""An object that is replaced between the decision about it and its use is decided about anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase, send, send_plain, served
from tests.serving import ALICE, BOB, Server
from twisted_s3.model import Grant, ObjectVersion, Properties
from twisted_s3.protocol.access.acl import ACL, ALL_USERS, READ, WRITE
from twisted_s3.protocol.access.acl import dump_grants as dump
from twisted_s3.protocol.access.defaults import BLOCK, OWNERSHIP
from twisted_s3.protocol.access.ownership import ownership_document
from twisted_s3.protocol.access.publicblock import NOTHING_BLOCKED, public_access_block_document
from twisted_s3.protocol.payload import Payload
from twisted_s3.storage.memory import MemoryStore

KEY = "k"
PUBLIC = Properties(acl=(Grant(ALL_USERS, READ),), tags={"open": "yes"})
PRIVATE = Properties(acl=(), tags={"open": "no"})


class Replacing(MemoryStore):
    """A store where somebody writes right after the authoriser has looked.

    :ivar replacements: the properties of what is written, one after each look.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.replacements: list[Properties] = []

    async def put(self, properties: Properties) -> None:
        """Write an object of Alice's, whose bytes say who may read them."""
        staged = await self.stage(BUCKET, Payload())
        await staged.write(b"open" if properties is PUBLIC else b"secret")
        await staged.commit(KEY, properties, owner=ALICE.canonical_id)

    async def head_object(
        self, bucket: str, key: str, version_id: str | None = None, unread: bool = False
    ) -> ObjectVersion:
        """Look, then let somebody write."""
        version = await super().head_object(bucket, key, version_id, unread)
        if unread and key == KEY and self.replacements:
            await self.put(self.replacements.pop(0))
        return version


class CheckThenUse(OperationTestCase):
    """In a bucket where ACLs are on, and where a policy looks at tags."""

    def make_store(self) -> Replacing:
        """A store with another writer in it."""
        return Replacing(reactor)

    def prepared(self, server: Server, *documents: tuple[str, bytes]) -> tuple[Replacing, Callable[[Any], Any]]:
        """A bucket with configuration documents, and what runs a coroutine of the store."""
        from twisted.internet.threads import blockingCallFromThread

        store = server.store
        assert isinstance(store, Replacing)

        def run(work: Any) -> Any:
            from twisted.internet.defer import Deferred

            return blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(work))

        run(store.create_bucket(BUCKET, ALICE.canonical_id, "us-east-1", configurations=dict(documents)))
        return store, run

    def acls(self, server: Server) -> tuple[Replacing, Callable[[Any], Any]]:
        """A bucket with ACLs that anybody may write to."""
        return self.prepared(
            server,
            (OWNERSHIP, ownership_document("ObjectWriter")),
            (BLOCK, public_access_block_document(NOTHING_BLOCKED)),
            (ACL, dump((Grant(ALL_USERS, WRITE),))),
        )

    @served()
    def test_reads(self, server: Server) -> None:
        """Who was let at a public object does not get the private one that has just come in its place."""
        store, run = self.acls(server)
        for method, query in (("GET", ""), ("HEAD", ""), ("GET", "?versionId=null")):
            for replacements, status in (
                ([], 200),
                ([PRIVATE], 403),
                ([PRIVATE, PUBLIC], 403),
                ([PUBLIC, PRIVATE], 200),
                ([PRIVATE] * 20, 403),
            ):
                run(store.put(PUBLIC))
                store.replacements = list(replacements)
                answer = send_plain(server, method, f"/{BUCKET}/{KEY}{query}")
                self.assertEqual(answer.status, status, (method, query, len(replacements)))
                self.assertNotIn(b"secret", answer.body)
        store.replacements = []

    @served()
    def test_copies(self, server: Server) -> None:
        """Nor is it copied."""
        store, run = self.acls(server)
        run(store.put(PUBLIC))
        headers = {"x-amz-copy-source": f"/{BUCKET}/{KEY}", "x-amz-tagging-directive": "REPLACE"}
        self.assertEqual(send(server, "PUT", f"/{BUCKET}/copy", headers=headers, user=BOB).status, 200)
        store.replacements = [PRIVATE]
        answer = send(server, "PUT", f"/{BUCKET}/stolen", headers=headers, user=BOB)
        self.assertEqual((answer.status, answer.code), (409, "OperationAborted"))
        self.refused("NoSuchKey", 404, server.client().get_object, Bucket=BUCKET, Key="stolen")

    @served()
    def test_conditions(self, server: Server) -> None:
        """A write whose condition no longer holds is told that, also when the right to it rested on what is gone."""
        anybody = {"Effect": "Allow", "Principal": "*", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        if_open = {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}
        statements = [anybody | {"Action": "s3:PutObject"}, anybody | {"Action": "s3:GetObject", "Condition": if_open}]
        store, run = self.prepared(
            server,
            ("policy", json.dumps({"Statement": statements}).encode()),
            (BLOCK, public_access_block_document(NOTHING_BLOCKED)),
        )
        run(store.put(PUBLIC))
        etag = server.client().head_object(Bucket=BUCKET, Key=KEY)["ETag"]
        store.replacements = [PRIVATE]
        answer = send(server, "PUT", f"/{BUCKET}/{KEY}", b"mine", headers={"If-Match": etag}, user=BOB)
        self.assertEqual((answer.status, answer.code), (412, "PreconditionFailed"))
        self.assertEqual(server.client().get_object(Bucket=BUCKET, Key=KEY)["Body"].read(), b"secret")

    @served()
    def test_tags(self, server: Server) -> None:
        """A policy that goes by the tags of what is there holds for what is there when it is changed."""
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject", "s3:PutObjectTagging", "s3:GetObjectTagging", "s3:DeleteObjectTagging"],
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
            "Condition": {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}},
        }
        store, run = self.prepared(
            server,
            ("policy", json.dumps({"Statement": statement}).encode()),
            (BLOCK, public_access_block_document(NOTHING_BLOCKED)),
        )
        tags = b"<Tagging><TagSet><Tag><Key>open</Key><Value>yes</Value></Tag></TagSet></Tagging>"
        requests = (
            ("GET", "", b""),
            ("GET", "?tagging", b""),
            ("PUT", "?tagging", tags),
            ("DELETE", "?tagging", b""),
        )
        for method, query, body in requests:
            run(store.put(PUBLIC))
            store.replacements = [PRIVATE]
            answer = send(server, method, f"/{BUCKET}/{KEY}{query}", body, user=BOB)
            self.assertIn((answer.status, answer.code), ((403, "AccessDenied"), (409, "OperationAborted")), query)
            found = server.client().get_object(Bucket=BUCKET, Key=KEY)
            self.assertEqual(found["Body"].read(), b"secret", (method, query))
            kept = server.client().get_object_tagging(Bucket=BUCKET, Key=KEY)["TagSet"]
            self.assertEqual(kept, [{"Key": "open", "Value": "no"}], (method, query))
        for method, query, body in requests:
            run(store.put(PUBLIC))
            answer = send(server, method, f"/{BUCKET}/{KEY}{query}", body, user=BOB)
            self.assertIn(answer.status, (200, 204), (method, query))

    @served()
    def test_deletes_of_the_same_key(self, server: Server) -> None:
        """Who names a key more than once has it deleted as often, also where a policy looks at what is there."""
        allow = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:DeleteObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
        tagged = {"StringEquals": {"s3:ExistingObjectTag/open": "no"}}
        deny = {**allow, "Effect": "Deny", "Action": "s3:GetObject", "Condition": tagged}
        store, run = self.prepared(
            server,
            ("policy", json.dumps({"Statement": [allow, deny]}).encode()),
            (BLOCK, public_access_block_document(NOTHING_BLOCKED)),
        )
        entries = {"Objects": [{"Key": KEY}] * 40, "Quiet": False}
        for _ in range(3):
            run(store.put(PUBLIC))
            answer = server.client(BOB).delete_objects(Bucket=BUCKET, Delete=entries)
            self.assertEqual(answer.get("Errors"), None)
            self.assertEqual(len(answer["Deleted"]), 40)
            self.refused("NoSuchKey", 404, server.client().get_object, Bucket=BUCKET, Key=KEY)
