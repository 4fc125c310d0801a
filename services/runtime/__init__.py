"""What every service stands on. Read `config`, `server`, `interceptors`, `batching`, in this order."""
