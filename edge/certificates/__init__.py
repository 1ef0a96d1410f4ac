"""A site's own certificates: who may speak to its broker, and whose signatures count."""
