"""The bridge: takes rows from the database, runs training, brings its records back."""
