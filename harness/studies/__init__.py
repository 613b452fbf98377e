"""Studies: found, changed by --set, built from flags, planned, and their status read back."""
