"""Wire forms of accounts, logins, keys and roles."""
