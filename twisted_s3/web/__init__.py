"""From a socket to an S3 operation and back."""
