"""From files to rows: formats, encodings, columns, and the detection of the kind of task."""
