"""The overview: what happens now, what needs attention, the newest results."""
