"""Files to rows: formats, encodings, columns, and what kind of task they hold."""
