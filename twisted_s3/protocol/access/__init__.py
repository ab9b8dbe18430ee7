"""Who may reach what, beside policies: ownership, ACLs and the blocks against the public. Sans-IO."""
