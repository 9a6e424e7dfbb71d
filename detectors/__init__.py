"""What is suspicious: pure, deterministic detectors and what they share."""
