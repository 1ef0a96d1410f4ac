"""How tags and people go together: places at the tags' own times, and who carries what."""
