"""Wire forms of SRE."""
