"""`python -m harness` is `harness`, for a cluster's nodes that have the code but not the script."""

from harness.cli.main import main

main()
