"""The comparison of an experiment's conditions."""
