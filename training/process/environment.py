"""What beside the code decides on the last digits of a result: device, threads, versions of libraries (no torch)."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("torch", "transformers", "trl", "accelerate", "tokenizers", "numpy")


@cache
def versions() -> dict[str, str]:
    """Return the version of Python and of each library that is installed."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
