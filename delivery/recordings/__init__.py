"""Recordings: a run in one MCAP file; `format` says what is in it, then `writer` and `reader`."""
