"""What holds for the tests of every room."""

from hypothesis import settings

# No test may fail because the machine is busy.
settings.register_profile("course", deadline=None)
settings.load_profile("course")
