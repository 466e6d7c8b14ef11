"""A conversation with a thinking model: written, shown, kept in a file, opened again."""
