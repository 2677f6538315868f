"""The grading package: `python -m autograder --help`."""

import sys

# jsonschema would parse a grammar of web addresses whenever nbformat is imported,
# which takes longer than all else together, and leaves that check out without it.
sys.modules.setdefault("rfc3987_syntax", None)
