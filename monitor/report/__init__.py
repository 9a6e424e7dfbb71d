"""What a replay has to say at its end: a table on the terminal, a page to read and hand on."""
