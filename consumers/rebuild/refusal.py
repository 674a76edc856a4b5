"""Why a rebuild doesn't begin, or doesn't go on: something an operator has to decide."""


class Refused(Exception):
    """Nothing that serves has changed; the message says why and what can be done."""
