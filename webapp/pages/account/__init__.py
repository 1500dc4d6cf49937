"""Signing in and out, and saved views."""
