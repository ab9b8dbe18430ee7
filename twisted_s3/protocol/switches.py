"""Documents of buckets that hold one word each: who pays, whether uploads are accelerated, whether tags decide.

A word that means what is not built is refused, so that nobody relies on it.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import parse_document, texts_of


class Switch(Struct, frozen=True):
    """A kind of such document.

    :ivar root: the name of the document, ``member`` that of the element in it.
    :ivar taken: the words that are taken.
    :ivar refused: the words that mean what is not built.
    """

    root: str
    member: str
    taken: Collection[str]
    refused: Collection[str]

    def read(self, body: bytes) -> str:
        """The word. :raise S3Error: ``MalformedXML``; ``NotImplemented`` for one that means what is not built."""
        word = texts_of(parse_document(body, self.root), {self.member}).get(self.member, "").strip()
        if word in self.refused:
            raise S3Error("NotImplemented", elements={"Header": f"{self.member}: {word}"})
        if word not in self.taken:
            raise S3Error("MalformedXML")
        return word

    def write(self, word: str) -> bytes:
        """The document, empty for no word."""
        return document(self.root, element(self.member, word) if word else "")


#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html
REQUEST_PAYMENT = Switch("RequestPaymentConfiguration", "Payer", ("BucketOwner",), ("Requester",))

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html
ACCELERATION = Switch("AccelerateConfiguration", "Status", ("Suspended",), ("Enabled",))

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAbac.html
ABAC = Switch("AbacStatus", "Status", ("Disabled",), ("Enabled",))
