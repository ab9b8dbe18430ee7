"""Makes ``twistd s3store`` known to twistd."""

from twisted.application.service import ServiceMaker

s3store = ServiceMaker("S3 store", "twisted_s3.tap", "An S3 endpoint in front of a directory.", "s3store")
