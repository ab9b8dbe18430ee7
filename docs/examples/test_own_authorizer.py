"""An application that decides itself who may do what, and a test of that."""

import pytest
from botocore.exceptions import ClientError
from zope.interface import implementer

from twisted_s3.credentials import canonical_id
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IAuthorizer
from twisted_s3.model import User
from twisted_s3.testing import S3Server


@implementer(IAuthorizer)
class HomeFolders:
    """Everybody may do everything below a folder with the own name, and list; nobody may do anything else."""

    async def authorize(self, request):
        if request.user is None:
            raise S3Error("AccessDenied")
        if request.action == "s3:ListBucket":
            return
        if request.key is None or not request.key.startswith(f"{request.user.display_name}/"):
            raise S3Error("AccessDenied")


def test_home_folders():
    ann = User("ANNSKEY", "anns-secret-key", canonical_id("ANNSKEY"), "ann")
    with S3Server(users=[ann], authorizer=HomeFolders()) as s3:
        s3.create_bucket("homes")
        client = s3.client(user=ann)
        client.put_object(Bucket="homes", Key="ann/notes", Body=b"...")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket="homes", Key="bob/notes", Body=b"...")
        assert client.list_objects_v2(Bucket="homes")["KeyCount"] == 1
