"""Evaluation of a checkpoint again, with other settings; trains nothing."""
