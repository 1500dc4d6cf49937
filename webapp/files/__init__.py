"""Tables as files: typed columns, and the formats that they are written in."""
