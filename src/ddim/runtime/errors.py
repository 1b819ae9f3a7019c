"""Which exceptions are a user's mistake, and the one line that tells the user about one."""

import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ddim.runtime.printable import printable
from ddim.runtime.refusals import explain
from ddim.runtime.settings_file import no_yaml

USER_ERRORS = (ValueError, OSError, HydraException, OmegaConfBaseException, yaml.YAMLError)


def one_line(error: BaseException) -> str:
    """The message of `error`, and of what caused it where that says more, on one line."""
    if isinstance(error, HydraException | OmegaConfBaseException):
        return explain(error)
    if isinstance(error, yaml.YAMLError):  # a file of conf/
        return no_yaml(error)
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < 2:
        text = printable(" ".join(str(current).split()))
        if text and text not in " ".join(parts):
            parts.append(text)
        current = current.__cause__
    return ": ".join(parts) or type(error).__name__
