"""From findings to alerts."""
