"""What is said of the inputs of operations: that something is said of each, and that it is true where that is cheap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from twisted.trial.unittest import SynchronousTestCase

from tests.operations.clients import BUCKET, OperationTestCase, served
from tests.operations.model import Input, inputs, service_model
from tests.serving import Server
from twisted_s3.operations.inputs import HONOURED, IGNORED, REFUSED, TREATMENTS, UNHEEDED, treatment_of
from twisted_s3.operations.table import OPERATIONS

KEY = "k"
#: What a browser sends is not in the model.
UNMODELLED = {"PostObject"}
BUILT = [op.name for op in OPERATIONS if op.handler is not None and op.name not in UNMODELLED]


class Complete(SynchronousTestCase):
    """The table has what the model has, and no more."""

    def test_every_input(self) -> None:
        """Something is said of each input of each operation that is built."""
        model = service_model()
        missing = []
        for operation in BUILT:
            for one in inputs(model, operation):
                try:
                    treatment_of(operation, one.name)
                except KeyError:
                    missing.append((operation, one.name))
        self.assertEqual(missing, [])

    def test_nothing_made_up(self) -> None:
        """Whatever the table names is an input of that operation in the model."""
        model = service_model()
        names = {name: {one.name for one in inputs(model, name)} for name in model.operation_names}
        everywhere = set().union(*names.values())
        for operation, name in TREATMENTS:
            self.assertIn(name, everywhere if operation == "*" else names[operation], operation)

    def test_words(self) -> None:
        """There are four things that can be done."""
        self.assertEqual({entry.what for entry in TREATMENTS.values()}, {HONOURED, IGNORED, UNHEEDED, REFUSED})


def claims(model: Any, *whats: str) -> Iterator[tuple[str, Input]]:
    """The headers and parameters of which one of these is said."""
    for operation in BUILT:
        for one in inputs(model, operation):
            if one.place != "body" and not one.required and treatment_of(operation, one.name).what in whats:
                yield operation, one


class Kept(OperationTestCase):
    """What the table says of headers and parameters that are not honoured."""

    def prepared(self, server: Server) -> Any:
        """A client, a bucket and an object."""
        client = server.client(parameter_validation=False)
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=KEY, Body=b"kept")
        return client

    def outcome(self, client: Any, operation: str, extra: Input | None = None) -> int:
        """The status of the least request for an operation, with one input more."""
        methods = {name: method for method, name in client.meta.method_to_api_mapping.items()}
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="u")["UploadId"]
        least: dict[str, dict[str, Any]] = {
            "CreateBucket": {"Bucket": "another"},
            "ListBuckets": {},
            "PutObject": {"Key": "new", "Body": b"x"},
            "CopyObject": {"Key": "new", "CopySource": f"{BUCKET}/{KEY}"},
            "CreateMultipartUpload": {"Key": "new"},
            "UploadPart": {"Key": "u", "UploadId": upload, "PartNumber": 1, "Body": b"x"},
            "UploadPartCopy": {"Key": "u", "UploadId": upload, "PartNumber": 1, "CopySource": f"{BUCKET}/{KEY}"},
            "CompleteMultipartUpload": {"Key": "u", "UploadId": upload, "MultipartUpload": self.parts(client, upload)},
            "AbortMultipartUpload": {"Key": "u", "UploadId": upload},
            "ListParts": {"Key": "u", "UploadId": upload},
            "GetObjectAttributes": {"Key": KEY, "ObjectAttributes": ["ETag"]},
            "PutObjectTagging": {"Key": KEY, "Tagging": {"TagSet": []}},
            "DeleteObject": {"Key": "gone"},
            "DeleteObjects": {"Delete": {"Objects": [{"Key": "gone"}]}},
            "SelectObjectContent": {
                "Key": KEY,
                "Expression": "select 1",
                "ExpressionType": "SQL",
                "InputSerialization": {"CSV": {}},
                "OutputSerialization": {"CSV": {}},
            },
            "PutBucketVersioning": {"VersioningConfiguration": {"Status": "Suspended"}},
            "PutObjectLockConfiguration": {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
            "RenameObject": {"Key": "renamed", "RenameSource": f"/{BUCKET}/{KEY}"},
            "PutBucketPolicy": {"Policy": POLICY},
        }
        default = {} if operation.startswith(("List", "HeadB", "GetB")) else {"Key": KEY}
        parameters = {**({} if operation == "ListBuckets" else {"Bucket": BUCKET}), **least.get(operation, default)}

        def add(params: dict[str, Any], **_: Any) -> None:
            if extra is not None and extra.place == "header":
                params["headers"][extra.name] = value_of(extra)
            elif extra is not None:
                separator = "&" if "?" in params["url"] else "?"
                params["url"] += f"{separator}{extra.name}={quote(value_of(extra))}"

        event = f"before-call.s3.{operation}"
        client.meta.events.register(event, add)
        try:
            response = getattr(client, methods[operation])(**parameters)
        except ClientError as error:
            response = error.response
        finally:
            client.meta.events.unregister(event, add)
        return int(response["ResponseMetadata"]["HTTPStatusCode"])

    def parts(self, client: Any, upload: str) -> dict[str, Any]:
        """The list that completes an upload of one part."""
        part = client.upload_part(Bucket=BUCKET, Key="u", UploadId=upload, PartNumber=1, Body=b"x")
        return {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}

    @served()
    def test_refused(self, server: Server) -> None:
        """A request with it is refused, that without it is not."""
        client = self.prepared(server)
        for operation, one in claims(service_model(), REFUSED):
            if operation != "SelectObjectContent":
                self.assertLess(self.outcome(client, operation), 300, operation)
            self.assertGreaterEqual(self.outcome(client, operation, one), 400, (operation, one.name))
            names = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
            if "another" in names:
                client.delete_bucket(Bucket="another")

    @served()
    def test_ignored(self, server: Server) -> None:
        """A request with it is answered as without it."""
        client = self.prepared(server)
        for operation, one in claims(service_model(), IGNORED, UNHEEDED):
            if operation in ("RenameObject", "RestoreObject", "SelectObjectContent", "GetObjectTorrent"):
                continue
            plain, found = self.outcome(client, operation), self.outcome(client, operation, one)
            self.assertEqual(found, plain, (operation, one.name))


POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutBucketCORS",'
    f'"Resource":"arn:aws:s3:::{BUCKET}"}}]}}'
)


def value_of(one: Input) -> str:
    """A value that an input can have."""
    if one.shape.type_name == "list":
        return str(one.shape.member.enum[0])
    if one.shape.type_name in ("boolean", "string"):
        return "true" if one.shape.type_name == "boolean" else str((one.shape.enum or ["x"])[0])
    return "Sun, 06 Nov 1994 08:49:37 GMT" if one.shape.type_name == "timestamp" else "1"
