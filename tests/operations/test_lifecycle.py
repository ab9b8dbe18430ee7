"""Lifecycle configurations and what answers tell of them, over a real socket."""

from __future__ import annotations

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import Server

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


class ConfigurationsOverTLS(Configurations):
    """The same over HTTPS."""

    tls = True
