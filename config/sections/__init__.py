"""The settings by what they are about: a section each, declared here and put together in `config.settings`."""
