"""Lifecycle: the rules of a bucket, and what they say of its versions and uploads."""
