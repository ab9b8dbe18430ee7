"""smart_open."""

from __future__ import annotations

import gzip

from smart_open import open as smart_open
from smart_open.s3 import iter_bucket

from tests.clients.against import ACCESS_KEY, MIB, REGION, SECRET_KEY, ClientCase, noise


class SmartOpenTests(ClientCase):
    def test_write_and_read(self) -> None:
        client = self.boto()
        client.create_bucket(Bucket="smart")
        parameters = {"client": client, "min_part_size": 5 * MIB}
        content = noise(12 * MIB + 1)
        with smart_open("s3://smart/parts.bin", "wb", transport_params=parameters) as file:
            for start in range(0, len(content), 100_000):
                file.write(content[start : start + 100_000])
        self.assertTrue(self.on_disk("smart", "parts.bin").read_bytes() == content)
        with smart_open("s3://smart/parts.bin", "rb", transport_params=parameters) as file:
            self.assertTrue(file.read() == content)
            file.seek(7 * MIB)
            self.assertEqual(file.read(10), content[7 * MIB :][:10])
            file.seek(-3, 2)
            self.assertEqual(file.read(), content[-3:])

    def test_text_and_compression(self) -> None:
        client = self.boto()
        client.create_bucket(Bucket="lines")
        lines = [f"line {number}\n" for number in range(1000)]
        with smart_open("s3://lines/a/log.gz", "w", transport_params={"client": client}) as file:
            file.writelines(lines)
        self.assertEqual(gzip.decompress(self.on_disk("lines", "a/log.gz").read_bytes()).decode(), "".join(lines))
        with smart_open("s3://lines/a/log.gz", transport_params={"client": client}) as file:
            self.assertEqual(list(file), lines)

    def test_iter_bucket(self) -> None:
        client = self.boto()
        client.create_bucket(Bucket="many")
        expected = {f"n/{number}": str(number).encode() for number in range(20)}
        for key, content in expected.items():
            client.put_object(Bucket="many", Key=key, Body=content)
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "region_name": REGION}
        endpoint = {"endpoint_url": self.url, "verify": self.authority}
        found = iter_bucket("many", prefix="n/", workers=4, session_kwargs=keys, client_kwargs=endpoint)
        self.assertEqual(dict(found), expected)


class SmartOpenOverTLSTests(SmartOpenTests):
    tls = True
