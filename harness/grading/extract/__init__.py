"""What a response states as its answer."""
