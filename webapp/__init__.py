"""The Django side of Mulberry: what a person sees, and the rows behind it."""
