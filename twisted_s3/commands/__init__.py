"""``s3store``: the commands with which a person looks after an s3store. Each is a module, and a row in ``main``."""
