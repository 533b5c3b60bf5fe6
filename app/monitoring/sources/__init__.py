"""Sources: servers that samples are pulled from, when they are due and what is asked of them."""
