"""The `switchboard` command. Read `__main__`, `up`, `mesh`, `supervision`, in this order."""
