"""Each benchmark prints a ratio against what a user would pick instead, or a throughput; nothing is asserted."""
