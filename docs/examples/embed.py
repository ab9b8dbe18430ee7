"""A Twisted application with an S3 endpoint beside its own web page: ``twistd -ny embed.py``."""

import os
from pathlib import Path

from twisted.application import service, strports
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from twisted_s3.credentials import Users, canonical_id
from twisted_s3.model import User
from twisted_s3.service import S3Service
from twisted_s3.storage.filesystem.store import FilesystemStore

key, secret = os.environ["EMBEDDED_ACCESS_KEY"], os.environ["EMBEDDED_SECRET_KEY"]
users = Users([User(key, secret, canonical_id(key), administrator=True)])
store = FilesystemStore(Path("embedded-data").absolute(), reactor)

application = service.Application("an application of mine")
S3Service(store, users, ["tcp:9000:interface=127.0.0.1"]).setServiceParent(application)

root = Resource()
root.putChild(b"", Data(b"My own page.\n", "text/plain"))
strports.service("tcp:8080:interface=127.0.0.1", Site(root)).setServiceParent(application)
