"""How the models that ship were made; nothing here runs in a service."""
