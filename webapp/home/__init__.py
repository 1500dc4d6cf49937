"""The pages that belong to no experiment: the overview, and the search for everything."""
