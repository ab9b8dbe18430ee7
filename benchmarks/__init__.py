"""How fast the server is, and how much memory it needs, beside others."""
