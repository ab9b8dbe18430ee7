"""The public S3 test suite, run against a server of ours. Nothing of the suite is here: only names of its tests."""
