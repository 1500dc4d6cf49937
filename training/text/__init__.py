"""Texts: final answers, written equations, repetition, marks, mul-tokens and tokenizers."""
