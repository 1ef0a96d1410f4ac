"""The layout planner: where to mount cameras, before anything hangs."""
