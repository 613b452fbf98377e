"""s1-harness: budget-forced evaluation and SFT ablations for test-time scaling (arXiv 2501.19393)."""

__version__ = "0.1.0"
