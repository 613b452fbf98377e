"""lm-evaluation-harness: our models and tasks inside it, and its log format."""
