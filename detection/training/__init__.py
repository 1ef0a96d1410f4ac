"""Train, resume and export the shipped kind of detector; needs the extra `train`."""
