"""The online book: `python -m book.build` makes it."""
