"""Wire forms of organizations, workspaces and their members."""
