"""Published lm-eval logs: read, counted, imported."""
