"""How fast the layers are: `make bench`, or `python -m benchmarks --help`.

Each part is a module with two functions: `measure`, which returns what it found
as plain data (lists, dicts, numbers, strings: what --json writes), and `lines`,
which makes the text that is printed out of that data and nothing else.
"""
