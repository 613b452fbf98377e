"""From a raw pool to a training subset: collect, featurize, filter, select, decontaminate, format.

Each step reads a pool file and writes one, so any of them can be opened, re-run or replaced.
"""
