"""What every service stands on. Read `config`, `errors`, `server`, `interceptors`, `batching`."""
