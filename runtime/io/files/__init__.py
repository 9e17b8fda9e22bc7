"""Files as lines, rows and objects: encodings, separators, columns, workbooks."""
