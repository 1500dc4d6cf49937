"""The report of an experiment, and the tables that only a report or a file has."""
