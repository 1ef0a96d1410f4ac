"""Incident export: what a recording has of some minutes, as files that anybody opens and verifies.

`folder.py` makes one, step by step; `verify.py` finds whether anybody changed it.
"""
