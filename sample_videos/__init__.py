"""The sample mine: rendered clips with exact truth, and the generator that renders them.

Knows nothing about the product's inside.
"""
