"""Who paints what: seams that lie where cameras agree and go round people."""
