"""A store of one's own: one that wraps another, and adds what the application wants."""

import pytest
from botocore.exceptions import ClientError
from zope.interface import implementer
from zope.interface.interface import Method

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore
from twisted_s3.storage.memory import MemoryStore
from twisted_s3.testing import S3Server


def passed_on(name):
    """A method that asks the store within."""

    def ask(self, *args, **kw):
        return getattr(self.within, name)(*args, **kw)

    return ask


def passing_on(cls):
    """Give a class all methods of a store that it has not itself."""
    for name, what in IObjectStore.namesAndDescriptions():
        if isinstance(what, Method) and name not in vars(cls):
            setattr(cls, name, passed_on(name))
    return cls


@implementer(IObjectStore)
@passing_on
class FewBuckets:
    """Any other store, but with no more than so many buckets."""

    def __init__(self, within, limit):
        self.within = within
        self.limit = limit

    async def create_bucket(self, *args, **kw):
        if len(await self.within.list_buckets()) >= self.limit:
            raise S3Error("TooManyBuckets")
        return await self.within.create_bucket(*args, **kw)


def test_few_buckets():
    with S3Server(make_store=lambda reactor, clock: FewBuckets(MemoryStore(clock), limit=2)) as s3:
        client = s3.client()
        client.create_bucket(Bucket="one")
        client.create_bucket(Bucket="two")
        with pytest.raises(ClientError, match="TooManyBuckets"):
            client.create_bucket(Bucket="three")
        client.put_object(Bucket="one", Key="k", Body=b"v")
        assert client.get_object(Bucket="one", Key="k")["Body"].read() == b"v"
