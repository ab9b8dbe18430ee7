"""Server-side encryption: the headers, the configuration of buckets, and the form in which bytes are stored."""
