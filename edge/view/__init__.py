"""Whether cameras still see: what their pictures show, held against what they usually show."""
