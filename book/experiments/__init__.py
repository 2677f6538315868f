"""The runs that the book records: see `book.recording`."""
