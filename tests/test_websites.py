"""Websites of a daemon, with one process and with several."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import ProxyHandler, Request, build_opener

import boto3
from botocore.config import Config
from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import Daemon

KEYS = {"S3STORE_ACCESS_KEY": "WEBSITEKEY", "S3STORE_SECRET_KEY": "website-secret-0123456789"}
POLICY = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/*"}


class Websites(SynchronousTestCase):
    """``--website-endpoint`` and ``--website-domain``."""

    def run_daemon(self, *arguments: str) -> tuple[str, str]:
        """Start one; gives the URLs of the endpoint and of the websites."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        options = ["--port", "0", "--website-endpoint", "tcp:0:interface=127.0.0.1", "--website-domain", "web.test"]
        options += ["--durability", "none", "--no-default-public-access-block", *arguments]
        daemon = Daemon(Path(folder.name), ["s3store", *options], KEYS)
        self.addCleanup(daemon.end)
        url = daemon.wait_for(r"listening on (\S+)")[1]
        return url, daemon.wait_for(r"websites on (\S+)")[1]

    def check(self, *arguments: str) -> None:
        """Make a website, and look at it."""
        url, pages = self.run_daemon(*arguments)
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["S3STORE_ACCESS_KEY"],
            aws_secret_access_key=KEYS["S3STORE_SECRET_KEY"],
            config=Config(s3={"addressing_style": "path"}),
        )
        self.addCleanup(client.close)
        client.create_bucket(Bucket="home")
        client.put_bucket_policy(Bucket="home", Policy=json.dumps({"Version": "2012-10-17", "Statement": [POLICY]}))
        website = {"IndexDocument": {"Suffix": "index.html"}}
        client.put_bucket_website(Bucket="home", WebsiteConfiguration=website)
        client.put_object(Bucket="home", Key="index.html", Body=b"<p>hello")
        opener = build_opener(ProxyHandler({}))
        for _ in range(8):
            with opener.open(Request(f"{pages}/", headers={"Host": "home.web.test"}), timeout=30) as answer:
                self.assertEqual(answer.read(), b"<p>hello")

    def test_one_process(self) -> None:
        """The process that serves S3 serves the pages."""
        self.check()

    def test_workers(self) -> None:
        """All workers serve pages, as soon as the configuration was stored by one."""
        self.check("--workers", "2")
