"""Where models come from: every front end reads a checkpoint into a `Graph`, the compiler's only input."""
