"""What a benchmark prints, in a module that a new process can load."""

import contextlib
import importlib
import inspect
import io
import warnings


def printed(name, deam):
    """What a benchmark prints, line by line."""
    main = importlib.import_module(f"benchmarks.{name}").main
    arguments = {"deam": deam} if "deam" in inspect.signature(main).parameters else {}
    text = io.StringIO()
    with contextlib.redirect_stdout(text), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(**arguments)
    return text.getvalue().splitlines()
