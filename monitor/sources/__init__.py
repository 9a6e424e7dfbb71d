"""Where records come from: files, folders and standard input."""
