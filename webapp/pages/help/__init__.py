"""Help in the dashboard: the documents that a person needs while reading pages, with an address for every term."""
