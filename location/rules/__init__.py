"""The rules about people: one module per family, one table of all, and what they remember."""
