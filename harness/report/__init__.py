"""The leaderboard: Markdown, CSV, figures and one self-contained HTML page, from Parquet alone."""
