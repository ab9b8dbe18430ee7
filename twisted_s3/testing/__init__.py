"""A real S3 server for tests: in milliseconds, over HTTP or HTTPS, with faults on purpose."""

from twisted_s3.testing.assembly import Options
from twisted_s3.testing.clock import ClockHandle, MovableClock
from twisted_s3.testing.faults import Fault, Faults
from twisted_s3.testing.recorder import RecordedRequest, Recorder
from twisted_s3.testing.server import ACCESS_KEY, SECRET_KEY, DeferredS3Server, S3Server

__all__ = [
    "ACCESS_KEY",
    "SECRET_KEY",
    "ClockHandle",
    "DeferredS3Server",
    "Fault",
    "Faults",
    "MovableClock",
    "Options",
    "RecordedRequest",
    "Recorder",
    "S3Server",
]
