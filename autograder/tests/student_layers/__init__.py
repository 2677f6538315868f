"""What a good student carries into the last assignment, for tests of it.

Each module is as carry.save writes it at the end of that assignment's notebook.
"""
