"""A runner: this machine takes stages from a platform that it knows by its address and a token alone."""
