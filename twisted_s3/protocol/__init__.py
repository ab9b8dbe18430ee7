"""The S3 wire protocol, sans-IO: bytes in, values out. No reactor, no files, no ``twisted.web``."""
