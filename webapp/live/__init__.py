"""Server-sent events: what is recorded, brought to open pages."""
