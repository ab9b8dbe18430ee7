"""Bucket and user policies: parsing, validation and evaluation. Sans-IO."""
