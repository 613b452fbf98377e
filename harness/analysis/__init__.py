"""From rows to figures with error bars: metrics, intervals, sample statistics, imports and comparisons."""
