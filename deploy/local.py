"""`python -m deploy.local`, which `make demo` runs: the whole system on this machine. Only checks the requirements."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback

if sys.version_info < (3, 11):  # noqa: UP036  # a message is clearer than the syntax error of another module
    sys.exit("the demo needs Python 3.11 or newer, and this is %d.%d" % sys.version_info[:2])  # noqa: UP031

try:
    from deploy.demo.demo import main
except ModuleNotFoundError as missing:
    sys.exit(
        f"the package {missing.name} is not installed for {sys.executable}: "
        "use `make demo`, or pip install 'ticket-counts[embedded]'"
    )

if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
