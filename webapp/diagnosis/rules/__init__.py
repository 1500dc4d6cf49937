"""The rules of the diagnosis, one module a family."""
