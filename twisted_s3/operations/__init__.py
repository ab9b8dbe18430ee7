"""One coroutine per S3 operation, named as AWS names it."""
