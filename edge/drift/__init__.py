"""When to look whether cameras were knocked, and what becomes of it."""
