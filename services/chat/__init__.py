"""Chat completions. Read `engine` first."""
