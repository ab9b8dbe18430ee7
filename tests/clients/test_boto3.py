"""boto3: its object interface, its transfer manager, and the transfer manager of the AWS Common Runtime."""

from __future__ import annotations

from io import BytesIO

import botocore.session
import urllib3
from awscrt.auth import AwsCredentialsProvider
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from s3transfer.crt import BotocoreCRTRequestSerializer, CRTTransferManager, create_s3_crt_client

from tests.clients.against import ACCESS_KEY, MIB, REGION, SECRET_KEY, TREE, ClientCase, noise

SMALL_PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)


class Boto3Tests(ClientCase):
    def test_tree(self) -> None:
        client = self.boto()
        client.create_bucket(Bucket="boto3")
        for key, content in TREE.items():
            client.put_object(Bucket="boto3", Key=key, Body=content, Metadata={"origin": "tree"})
        self.assert_same_tree(self.plant("tree", TREE), self.on_disk("boto3"))

        pages = client.get_paginator("list_objects_v2").paginate(Bucket="boto3", PaginationConfig={"PageSize": 3})
        listed = [(item["Key"], item["Size"]) for page in pages for item in page["Contents"]]
        self.assertEqual(listed, [(key, len(TREE[key])) for key in sorted(TREE, key=str.encode)])
        page = client.list_objects_v2(Bucket="boto3", Delimiter="/")
        self.assertEqual(
            [item["Prefix"] for item in page["CommonPrefixes"]], ["a/", "percent/", "unicode/", "with space/"]
        )
        for key, content in TREE.items():
            answer = client.get_object(Bucket="boto3", Key=key)
            self.assertEqual((answer["Body"].read(), answer["Metadata"]), (content, {"origin": "tree"}))

        gone = client.delete_objects(Bucket="boto3", Delete={"Objects": [{"Key": key} for key in TREE]})
        self.assertEqual({item["Key"] for item in gone["Deleted"]}, set(TREE))
        client.delete_bucket(Bucket="boto3")
        self.assertFalse(self.on_disk("boto3").exists())

    def test_transfer_manager(self) -> None:
        client = self.boto()
        content = noise(17 * MIB + 3)
        for bucket in ("source", "target"):
            client.create_bucket(Bucket=bucket)
        client.upload_fileobj(
            BytesIO(content),
            "source",
            "large",
            ExtraArgs={"ContentType": "a/b", "Metadata": {"k": "v"}},
            Config=SMALL_PARTS,
        )
        client.copy({"Bucket": "source", "Key": "large"}, "target", "copied", Config=SMALL_PARTS)
        for bucket, key in (("source", "large"), ("target", "copied")):
            received = BytesIO()
            client.download_fileobj(bucket, key, received, Config=SMALL_PARTS)
            self.assertTrue(received.getvalue() == content == self.on_disk(bucket, key).read_bytes())
            head = client.head_object(Bucket=bucket, Key=key)
            self.assertEqual((head["ContentType"], head["Metadata"]), ("a/b", {"k": "v"}))
            self.assertRegex(head["ETag"], r'^"[0-9a-f]{32}-4"$')

    def test_conditional_write(self) -> None:
        client = self.boto()
        client.create_bucket(Bucket="once")
        client.put_object(Bucket="once", Key="k", Body=b"first", IfNoneMatch="*")
        error = self.assertRaises(ClientError, client.put_object, Bucket="once", Key="k", Body=b"2nd", IfNoneMatch="*")
        self.assertEqual(error.response["Error"]["Code"], "PreconditionFailed")
        self.assertEqual(client.get_object(Bucket="once", Key="k")["Body"].read(), b"first")

    def test_presigned_urls_of_both_signature_versions(self) -> None:
        self.boto().create_bucket(Bucket="presigned")
        pool = urllib3.PoolManager(ca_certs=self.authority)
        self.addCleanup(pool.clear)
        for version, mark in (("s3", "Signature="), ("s3v4", "X-Amz-Signature=")):
            client = self.boto(signature_version=version)
            params = {"Bucket": "presigned", "Key": f"key of {version}+"}
            url = client.generate_presigned_url("put_object", Params=params)
            self.assertIn(mark, url)
            self.assertEqual(pool.request("PUT", url, body=version.encode()).status, 200)
            answer = pool.request("GET", client.generate_presigned_url("get_object", Params=params))
            self.assertEqual((answer.status, answer.data), (200, version.encode()))
            self.assertEqual(pool.request("GET", url).status, 403)

    def test_crt_transfer_manager(self) -> None:
        """What ``preferred_transfer_client="crt"`` uses; boto3's own switch can not be given an authority to trust."""
        client = self.boto()
        client.create_bucket(Bucket="crt")
        source, back = self.plant("crt", {"large": noise(21 * MIB + 7), "small": b"small"}), self.scratch / "back"
        back.mkdir()
        session = botocore.session.Session()
        session.set_credentials(ACCESS_KEY, SECRET_KEY)
        serializer = BotocoreCRTRequestSerializer(
            session, {"region_name": REGION, "endpoint_url": self.url, "verify": self.authority}
        )
        runtime = create_s3_crt_client(
            REGION,
            crt_credentials_provider=AwsCredentialsProvider.new_static(ACCESS_KEY, SECRET_KEY),
            part_size=5 * MIB,
            use_ssl=self.tls,
            verify=self.authority,
        )
        with CRTTransferManager(runtime, serializer) as manager:
            for future in [manager.upload(str(source / name), "crt", name) for name in ("large", "small")]:
                future.result()
            for future in [manager.download("crt", name, str(back / name)) for name in ("large", "small")]:
                future.result()
            manager.delete("crt", "small").result()
        self.assert_same_tree(source, back)
        self.assertEqual([item["Key"] for item in client.list_objects_v2(Bucket="crt")["Contents"]], ["large"])
        self.assertTrue((source / "large").read_bytes() == self.on_disk("crt", "large").read_bytes())


class Boto3OverTLSTests(Boto3Tests):
    tls = True
