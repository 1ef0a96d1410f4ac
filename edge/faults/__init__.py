"""Faults that a drill brings upon a running gateway: see docs/drills.md."""
