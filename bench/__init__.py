"""Repeatable measurements: each figure of ours stands beside a bare part's, taken in the same run."""
