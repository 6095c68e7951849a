"""De-identification. PURE: bytes and data sets in, bytes and data sets out. No files, sockets, clock, Dagster."""
