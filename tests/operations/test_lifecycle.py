"""Lifecycle configurations and what answers tell of them, over a real socket."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.forms import CONTENT_TYPE, form_body
from tests.operations.clients import BUCKET, OperationTestCase, send, send_plain, served
from tests.serving import Server
from twisted_s3.protocol.dates import format_http_date

RULE = {"ID": "one", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 1}}
SIZE_MEMBER = "TransitionDefaultMinimumObjectSize"


class Configurations(OperationTestCase):
    """The document goes round."""

    @served()
    def test_round(self, server: Server) -> None:
        """Put, got, replaced, removed."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        self.refused("NoSuchLifecycleConfiguration", 404, client.get_bucket_lifecycle_configuration, Bucket=BUCKET)
        client.delete_bucket_lifecycle(Bucket=BUCKET)
        done = client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [RULE]})
        self.assertEqual(done["TransitionDefaultMinimumObjectSize"], "all_storage_classes_128K")
        got = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)
        self.assertEqual(got["Rules"], [RULE])
        self.assertEqual(got["TransitionDefaultMinimumObjectSize"], "all_storage_classes_128K")
        older = [{"ID": "x", "Prefix": "a", "Status": "Disabled", "Expiration": {"Days": 2}}]
        client.put_bucket_lifecycle(Bucket=BUCKET, LifecycleConfiguration={"Rules": older})
        self.assertEqual(client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"], older)
        client.delete_bucket_lifecycle(Bucket=BUCKET)
        self.refused("NoSuchLifecycleConfiguration", 404, client.get_bucket_lifecycle_configuration, Bucket=BUCKET)

    @served()
    def test_minimum_size(self, server: Server) -> None:
        """The header is kept with the document, and goes with it."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        put = client.put_bucket_lifecycle_configuration
        rules = {"Rules": [RULE]}
        put(Bucket=BUCKET, LifecycleConfiguration=rules, TransitionDefaultMinimumObjectSize="varies_by_storage_class")
        got = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)
        self.assertEqual(got["TransitionDefaultMinimumObjectSize"], "varies_by_storage_class")
        response = self.refused(
            "InvalidRequest",
            400,
            put,
            Bucket=BUCKET,
            LifecycleConfiguration={"Rules": [{**RULE, "ID": "two"}]},
            TransitionDefaultMinimumObjectSize="none",
        )
        self.assertEqual(response["Error"]["Message"], "Invalid TransitionDefaultMinimumObjectSize found: none")
        got = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)
        self.assertEqual(got["Rules"], [RULE])
        self.assertEqual(got["TransitionDefaultMinimumObjectSize"], "varies_by_storage_class")
        client.delete_bucket_lifecycle(Bucket=BUCKET)
        self.assertEqual(put(Bucket=BUCKET, LifecycleConfiguration=rules)[SIZE_MEMBER], "all_storage_classes_128K")

    @served()
    def test_refused(self, server: Server) -> None:
        """What is refused leaves the document that is there."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        put = client.put_bucket_lifecycle_configuration
        put(Bucket=BUCKET, LifecycleConfiguration={"Rules": [RULE]})
        two = [RULE, {**RULE, "Expiration": {"Days": 3}}]
        self.refused("InvalidArgument", 400, put, Bucket=BUCKET, LifecycleConfiguration={"Rules": two})
        never = [{**RULE, "Expiration": {"Days": 0}}]
        self.refused("InvalidArgument", 400, put, Bucket=BUCKET, LifecycleConfiguration={"Rules": never})
        self.refused(
            "MalformedXML", 400, put, Bucket=BUCKET, LifecycleConfiguration={"Rules": [{**RULE, "Status": "x"}]}
        )
        answer = send(server, "PUT", f"/{BUCKET}?lifecycle")
        self.assertEqual((answer.status, answer.code), (400, "MissingRequestBodyError"))
        self.assertEqual(client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"], [RULE])
        self.refused("NoSuchBucket", 404, put, Bucket="another", LifecycleConfiguration={"Rules": [RULE]})


class Told(OperationTestCase):
    """Answers tell when an object or an upload ends."""

    def prepared(self, server: Server, **rule: Any) -> Any:
        """A client, and a bucket with one rule."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        rules = {"Rules": [{**RULE, **rule}]}
        client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=rules)
        return client

    def check(self, answer: dict[str, Any], modified: datetime) -> None:
        """Assert that an answer tells the midnight after a day."""
        end = (modified + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
        text = format_http_date(end.timestamp())
        self.assertEqual(answer.get("Expiration"), f'expiry-date="{text}", rule-id="one"')

    @served()
    def test_objects(self, server: Server) -> None:
        """Put, Get, Head, Copy, Complete, forms; not where a version is named, and not for other keys."""
        client = self.prepared(server)
        answers = [client.put_object(Bucket=BUCKET, Key="logs/a", Body=b"x")]
        answers.append(client.get_object(Bucket=BUCKET, Key="logs/a"))
        answers.append(client.head_object(Bucket=BUCKET, Key="logs/a"))
        answers.append(client.copy_object(Bucket=BUCKET, Key="logs/b", CopySource=f"{BUCKET}/logs/a"))
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="logs/c")
        self.assertNotIn("AbortDate", upload)
        named = {"Bucket": BUCKET, "Key": "logs/c", "UploadId": upload["UploadId"]}
        part = client.upload_part(**named, PartNumber=1, Body=b"x")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}
        answers.append(client.complete_multipart_upload(**named, MultipartUpload=parts))
        modified = client.head_object(Bucket=BUCKET, Key="logs/c")["LastModified"]
        for answer in answers:
            self.check(answer, modified)
        self.assertNotIn("Expiration", client.head_object(Bucket=BUCKET, Key="logs/a", VersionId="null"))
        self.assertNotIn("Expiration", client.put_object(Bucket=BUCKET, Key="other", Body=b"x"))

    @served()
    def test_form(self, server: Server) -> None:
        """An upload by form is told, too."""
        client = self.prepared(server)
        form = client.generate_presigned_post(BUCKET, "logs/a")
        body = form_body(form["fields"], b"x")
        answer = send_plain(server, "POST", f"/{BUCKET}", body, {"Content-Type": CONTENT_TYPE})
        self.assertEqual(answer.status, 204)
        modified = client.head_object(Bucket=BUCKET, Key="logs/a")["LastModified"]
        self.check({"Expiration": answer.headers["x-amz-expiration"]}, modified)

    @served()
    def test_filters(self, server: Server) -> None:
        """Tags and sizes count as they are at the moment."""
        tag = {"Key": "k", "Value": "v"}
        larger = {"Tags": [tag], "ObjectSizeGreaterThan": 3}
        client = self.prepared(server, Filter={"And": larger})
        self.assertNotIn("Expiration", client.put_object(Bucket=BUCKET, Key="a", Body=b"xxxx"))
        self.assertNotIn("Expiration", client.put_object(Bucket=BUCKET, Key="b", Body=b"xxx", Tagging="k=v"))
        client.put_object_tagging(Bucket=BUCKET, Key="a", Tagging={"TagSet": [tag]})
        answer = client.head_object(Bucket=BUCKET, Key="a")
        self.check(answer, answer["LastModified"])
        client.delete_bucket_lifecycle(Bucket=BUCKET)
        self.assertNotIn("Expiration", client.head_object(Bucket=BUCKET, Key="a"))

    @served()
    def test_uploads(self, server: Server) -> None:
        """Create and ListParts tell when the upload is dropped."""
        client = self.prepared(server, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2})
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="logs/a")
        named = {"Bucket": BUCKET, "Key": "logs/a", "UploadId": upload["UploadId"]}
        (begun,) = client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
        midnight = begun["Initiated"].replace(hour=0, minute=0, second=0, microsecond=0)
        for answer in (upload, client.list_parts(**named)):
            self.assertEqual((answer["AbortDate"], answer["AbortRuleId"]), (midnight + timedelta(days=3), "one"))
        self.assertNotIn("AbortDate", client.create_multipart_upload(Bucket=BUCKET, Key="other"))


class ToldOverTLS(Told):
    """The same over HTTPS."""

    tls = True


class ConfigurationsOverTLS(Configurations):
    """The same over HTTPS."""

    tls = True
