"""The job that does what lifecycle configurations say."""
