"""Programs that come with data sets, read and worked out without being run."""
