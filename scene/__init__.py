"""The shared words: messages, site file, frames and geometry, topics, wire format, clock."""
