"""Says in one line why the Python package cannot be built for this interpreter; else nothing.

Run by the Makefile as `$(PYTHON) tools/python_lacks.py`. Any version of Python 3 can run the file.
"""

import os
import sys
import sysconfig

header = os.path.join(sysconfig.get_path("include"), "Python.h")  # noqa: PTH118
if sys.version_info < (3, 11):
    version = ".".join(map(str, sys.version_info[:3]))
    print("%s is Python %s; the package plm needs 3.11 or later" % (sys.executable, version))
elif not os.path.exists(header):  # noqa: PTH110
    print("%s has no %s (Debian: python3-dev)" % (sys.executable, header))
