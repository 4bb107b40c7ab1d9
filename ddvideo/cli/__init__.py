"""The command line: one file a command; parses, calls the pipeline, prints."""
