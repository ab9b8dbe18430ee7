"""A disk that crashes, and what must hold afterwards: see docs/crashes.rst."""
