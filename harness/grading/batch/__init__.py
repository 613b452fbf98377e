"""Files of rows: grading them, asking a judge, comparing with peers."""
