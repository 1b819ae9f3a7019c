"""`benchmarks` is a package of the project's root, which an installed pytest does not look into."""

import sys

from helpers.pipeline import ROOT

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
