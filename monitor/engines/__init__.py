"""The outer loops that drive the pipeline."""
