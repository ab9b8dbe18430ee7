"""The table against botocore's model of the whole service, and what is not built against a server."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import botocore.session
from botocore.exceptions import ClientError
from botocore.model import OperationModel, Shape
from twisted.trial.unittest import SynchronousTestCase

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import Server
from twisted_s3.operations.table import OPERATIONS, Operation

#: Older names of the same requests.
ALIASES = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
#: What AWS serves at an endpoint of its own: directory buckets, and object Lambdas.
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}
#: What botocore does not call an operation: a browser does it.
UNMODELLED = {"PostObject"}

KEY = "k"


def service_model() -> Any:
    """Botocore's model of S3."""
    return botocore.session.get_session().get_service_model("s3")


def value_for(shape: Shape, name: str = "") -> Any:
    """The least value that is valid for a shape."""
    special = {"Bucket": BUCKET, "Key": KEY, "CopySource": f"{BUCKET}/{KEY}", "RenameSource": f"/{BUCKET}/{KEY}"}
    if name in special:
        return special[name]
    match shape.type_name:
        case "structure":
            required = shape.required_members
            if not required and shape.metadata.get("union"):
                required = list(shape.members)[:1]
            return {member: value_for(shape.members[member], member) for member in required}
        case "list":
            return [value_for(shape.member)]
        case "map":
            return {"a": value_for(shape.value)}
        case "string":
            return shape.enum[0] if shape.enum else "a"
        case "timestamp":
            return 0
        case "blob":
            return b"a"
        case "boolean":
            return False
    return 1


class Model(SynchronousTestCase):
    """Every operation of the model is in the table, as the model has it."""

    def test_names(self) -> None:
        """None is missing, none is twice, none is made up."""
        names = [operation.name for operation in OPERATIONS]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({*names, *ALIASES}, {*service_model().operation_names, *UNMODELLED})
        self.assertEqual({op.name for op in OPERATIONS if not op.routed}, ELSEWHERE)
        self.assertTrue(set(ALIASES.values()) <= set(names))

    def test_requests(self) -> None:
        """Method, level and selecting parameters are those of the model."""
        model = service_model()
        for operation in OPERATIONS:
            if operation.name in UNMODELLED:
                continue
            modelled = model.operation_model(operation.name)
            path, _, query = modelled.http["requestUri"].partition("?")
            level = "object" if "{Key+}" in path else "bucket" if "{Bucket}" in path else "service"
            self.assertEqual((operation.method, operation.level), (modelled.http["method"], level), operation.name)
            if operation.routed:
                selecting = dict(parse_qsl(query, keep_blank_values=True)).keys() | required_parameters(modelled)
                self.assertEqual(selecting - {"select-type"}, operation.selectors, operation.name)

    def test_no_two_alike(self) -> None:
        """No two operations mean the same request."""
        seen: set[Any] = set()
        for op in OPERATIONS:
            if op.routed:
                signature = (op.level, op.method, op.selectors, op.copies)
                self.assertNotIn(signature, seen, op.name)
                seen.add(signature)

    def test_actions(self) -> None:
        """Every operation needs a right."""
        self.assertEqual([op.name for op in OPERATIONS if not op.action.startswith("s3:")], [])


def required_parameters(modelled: OperationModel) -> set[str]:
    """The query parameters that a request must have."""
    shape = modelled.input_shape
    if shape is None:
        return set()
    found = ((shape.members[name].serialization, name) for name in shape.required_members)
    return {place["name"] for place, _ in found if place.get("location") == "querystring"}


class Unbuilt(OperationTestCase):
    """What is not built is 501 and changes nothing."""

    def state(self, client: Any) -> Any:
        """All that a stray request could change."""
        got = client.get_object(Bucket=BUCKET, Key=KEY)
        listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
        uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
        buckets = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
        return got["Body"].read(), got["Metadata"], got["LastModified"], listed, uploads, buckets

    def prepared(self, server: Server) -> Any:
        """A client, a bucket and an object."""
        client = server.client(parameter_validation=False)
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=KEY, Body=b"kept", Metadata={"a": "b"})
        return client

    @served()
    def test_every_operation(self, server: Server) -> None:
        """Each one without a handler, as botocore itself sends it."""
        client = self.prepared(server)
        model = service_model()
        before = self.state(client)
        methods = {operation: name for name, operation in client.meta.method_to_api_mapping.items()}
        unbuilt = {op.name for op in OPERATIONS if op.handler is None and op.routed}
        old = {name for name, current in ALIASES.items() if current in unbuilt}
        for name in sorted(unbuilt | old):
            parameters = value_for(model.operation_model(name).input_shape)
            with self.assertRaises(ClientError) as caught:
                getattr(client, methods[name])(**parameters)
            response = caught.exception.response
            found = response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
            self.assertEqual(found, (501, "NotImplemented"), (name, response))
            operation = server.finished[-1].passage.operation
            self.assertEqual(operation, ALIASES.get(name, name))
        self.assertEqual(self.state(client), before)

    @served()
    def test_nothing_falls_through(self, server: Server) -> None:
        """Sub-resources that are unknown, contradict each other, or lack what they need."""
        client = self.prepared(server)
        before = self.state(client)
        built: dict[tuple[str, str], Operation] = {
            (op.level, op.subresource): op for op in OPERATIONS if op.subresource and op.handler is not None
        }
        for level, path in (("bucket", f"/{BUCKET}"), ("object", f"/{BUCKET}/{KEY}")):
            names = {op.subresource for op in OPERATIONS if op.subresource} | {"newest", "append", "uploadId"}
            for method in ("PUT", "POST", "DELETE"):
                for name in names - {name for at, name in built if at == level}:
                    answer = send(server, method, f"{path}?{name}", b"<x/>")
                    found = (answer.status, answer.code)
                    self.assertGreaterEqual(answer.status, 400, (method, path, name))
                    if name == "newest" and (level, method) != ("object", "POST"):
                        self.assertEqual(found, (501, "NotImplemented"), (method, path, name))
                    self.assertIn(answer.status, (400, 404, 405, 412, 501), (method, path, name))
        for method, target, expected in (
            ("PUT", f"/{BUCKET}/{KEY}?uploadId=x", (400, "InvalidArgument")),
            ("PUT", f"/{BUCKET}/{KEY}?partNumber=1", (400, "InvalidArgument")),
            ("PUT", f"/{BUCKET}/{KEY}?versionId=null", (400, "InvalidArgument")),
            ("GET", f"/{BUCKET}?uploads&versions", (400, "InvalidArgument")),
            ("GET", f"/{BUCKET}/{KEY}?uploads", (405, "MethodNotAllowed")),
            ("DELETE", f"/{BUCKET}?delete", (405, "MethodNotAllowed")),
            ("DELETE", f"/{BUCKET}?uploadId=x", (501, "NotImplemented")),
            ("POST", f"/{BUCKET}/{KEY}", (405, "MethodNotAllowed")),
            ("PATCH", f"/{BUCKET}/{KEY}", (405, "MethodNotAllowed")),
            ("PUT", "/", (405, "MethodNotAllowed")),
            ("DELETE", "/", (405, "MethodNotAllowed")),
        ):
            answer = send(server, method, target, b"new")
            self.assertEqual((answer.status, answer.code), expected, (method, target))
        allowed = send(server, "POST", f"/{BUCKET}/{KEY}").headers["allow"]
        self.assertEqual(allowed, "DELETE, GET, HEAD, PUT")
        self.assertEqual(send(server, "GET", f"/{BUCKET}/{KEY}?newest&v=1").status, 200)
        self.assertEqual(self.state(client), before)


class UnbuiltOverTLS(Unbuilt):
    """The same over HTTPS."""

    tls = True
