"""One endpoint for both: an application's own pages, and S3 below ``/s3``: ``twistd -ny mount.py``."""

import os

from twisted.application import service
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.static import Data

from twisted_s3.credentials import Users, canonical_id
from twisted_s3.model import User
from twisted_s3.service import S3Service
from twisted_s3.storage.memory import MemoryStore

key, secret = os.environ["EMBEDDED_ACCESS_KEY"], os.environ["EMBEDDED_SECRET_KEY"]
users = Users([User(key, secret, canonical_id(key), administrator=True)])

s3 = S3Service(MemoryStore(reactor), users, ["tcp:9000:interface=127.0.0.1"])
s3.root = Resource()
s3.root.putChild(b"", Data(b"My own page.\n", "text/plain"))
s3.root.putChild(b"s3", s3.resource)

application = service.Application("an application of mine")
s3.setServiceParent(application)
