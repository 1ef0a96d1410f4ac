"""The acceptance test: what a site must show before anybody trusts it, measured and signed."""
