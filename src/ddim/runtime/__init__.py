"""What every program needs and no result depends on: files, the command line, progress, locks."""
