"""Text embeddings. Read `config`, `engine`, `models`, `rest`, `rpc`, `__main__`, in this order."""
