"""Long trials of the whole grader, as its users run it: kills and throughput.

Each is a command, `python -m autograder.trials.kills` and
`python -m autograder.trials.throughput`; the tests run short ones.
"""
