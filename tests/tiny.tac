"""The daemon around a tiny site; its settings come from the environment."""

from twisted.application.service import Application

from twisted_s3.tap import Options, makeService

options = Options()
options.parseOptions([])
options.parent = {"nodaemon": True}
application = Application("tiny")
makeService(options, "tests.tinysite.compose").setServiceParent(application)
