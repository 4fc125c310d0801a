"""The inference services, one package a family, and the runtime they stand on."""
