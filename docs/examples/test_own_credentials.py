"""An application whose own accounts are the users of the server, with keys that expire."""

import time

import pytest
from botocore.exceptions import ClientError
from zope.interface import implementer

from twisted_s3.interfaces import ICredentials
from twisted_s3.model import User
from twisted_s3.testing import S3Server

ACCOUNTS = {1: "ann", 2: "bob"}


def owner_id(number):
    """Canonical ids have 64 hex digits, and stay the same for ever."""
    return f"{number:064x}"


@implementer(ICredentials)
class Accounts:
    """Keys are handed out for an hour, and kept where the application keeps its sessions."""

    def __init__(self):
        self.sessions = {}

    def hand_out(self, number, key, secret):
        name = ACCOUNTS[number]
        self.sessions[key] = User(key, secret, owner_id(number), name, expires=time.time() + 3600)

    async def get_user(self, access_key):
        """May wait for a database: it is a coroutine."""
        return self.sessions.get(access_key)

    def get_owner(self, canonical_id):
        for number, name in ACCOUNTS.items():
            if owner_id(number) == canonical_id:
                return User("", "", canonical_id, name)
        return None

    def get_by_email(self, email):
        return None


def test_accounts():
    accounts = Accounts()
    accounts.hand_out(1, "TEMPORARYKEY1", "temporary-secret-1")
    accounts.hand_out(2, "TEMPORARYKEY2", "temporary-secret-2")
    with S3Server(credentials=accounts) as s3:
        ann = s3.client(user=accounts.sessions["TEMPORARYKEY1"])
        bob = s3.client(user=accounts.sessions["TEMPORARYKEY2"])
        ann.create_bucket(Bucket="of-ann")
        assert ann.list_buckets()["Owner"]["DisplayName"] == "ann"
        assert bob.list_buckets()["Buckets"] == []
        s3.clock.advance(3601)
        with pytest.raises(ClientError, match="ExpiredToken"):
            ann.list_buckets()
