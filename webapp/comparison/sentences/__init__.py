"""What a comparison says in words: verdicts, contrasts, warnings, numbers."""
