"""An S3 server that lives inside Twisted."""

__version__ = "0.1.0"
