"""Months of recordings run again with another model or other rules, and what that would change.

Never imported on a gateway: `lamproom reanalyse` alone leads here (docs/archive.md).
"""
