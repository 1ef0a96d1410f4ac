"""Whether a camera still hangs as it did, and how it hangs now."""
