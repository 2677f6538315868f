"""nbgrader's configuration, for its own commands and for formgrader.

nbgrader finds it when it is started in this folder, or anywhere with
JUPYTER_CONFIG_PATH set to this folder:

    cd autograder && nbgrader autograde ps2_convolution

CONVNET_COURSE chooses another course folder than autograder/course.
"""

from autograder.course import Course

c = get_config()  # noqa: F821 (given by nbgrader)
c.merge(Course().nbgrader())
