"""The filesystem store: buckets are folders, objects are plain files."""
