"""Maps each Redis error to its remedy and to a message for people. Sends nothing and waits for nothing.

Sources: `redis.exceptions`, and the error codes in `src/server.c` of Redis 7 and 8.
"""

import os
from collections.abc import Mapping
from enum import Enum

from redis.exceptions import AuthenticationError


class Remedy(Enum):
    """The reaction to an error. Every class of error has exactly one."""

    AGAIN = "again"
    """The error is temporary: try again after a pause."""
    PARK = "park"
    """The record is bad: park it as a dead letter, then move past it."""
    STOP = "stop"
    """A retry doesn't help: stop with an alarm, an operator has to act."""


REDIS_ERRORS: Mapping[str, Remedy] = {
    # The server, the network or the cluster is changing.
    "AskError": Remedy.AGAIN,
    "BusyLoadingError": Remedy.AGAIN,
    "ClusterDownError": Remedy.AGAIN,
    "ClusterError": Remedy.AGAIN,
    "ConnectionError": Remedy.AGAIN,
    "MasterDownError": Remedy.AGAIN,
    "MaxConnectionsError": Remedy.AGAIN,
    "MovedError": Remedy.AGAIN,
    "NoScriptError": Remedy.AGAIN,
    "ReadOnlyError": Remedy.AGAIN,
    "RedisClusterException": Remedy.AGAIN,
    "SlotNotCoveredError": Remedy.AGAIN,
    "TimeoutError": Remedy.AGAIN,
    "TryAgainError": Remedy.AGAIN,
    # The server is full. Counting pauses with an alarm of its own (`StoreUnable`) and resumes by itself.
    "OutOfMemoryError": Remedy.AGAIN,
    # The server refuses us.
    "AuthenticationError": Remedy.STOP,
    "AuthenticationWrongNumberOfArgsError": Remedy.STOP,
    "AuthorizationError": Remedy.STOP,
    "ExternalAuthProviderError": Remedy.STOP,
    "NoPermissionError": Remedy.STOP,
    # A fault of this program, or of another program that writes into this Redis.
    "ChildDeadlockedError": Remedy.STOP,
    "ClusterCrossSlotError": Remedy.STOP,
    "CrossSlotTransactionError": Remedy.STOP,
    "DataError": Remedy.STOP,
    "ExecAbortError": Remedy.STOP,
    "IncorrectPolicyType": Remedy.STOP,
    "InvalidPipelineStack": Remedy.STOP,
    "InvalidResponse": Remedy.STOP,
    "LockError": Remedy.STOP,
    "LockNotOwnedError": Remedy.STOP,
    "ModuleError": Remedy.STOP,
    "NoSuchFieldsetError": Remedy.STOP,
    "PubSubError": Remedy.STOP,
    "RedisError": Remedy.STOP,
    "ResponseError": Remedy.STOP,
    "WatchError": Remedy.STOP,
}
"""By class name in `redis.exceptions`; a class that isn't listed has the remedy of its nearest listed base class."""


def redis_remedy(error: Exception) -> Remedy:
    """Returns the remedy for an error from redis-py; an error of another library counts as a lost connection."""
    names = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "redis.exceptions")
    return next((REDIS_ERRORS[name] for name in names if name in REDIS_ERRORS), Remedy.AGAIN)


def failure_text(where: object, error: Exception, password: str = "") -> str:
    """`Redis at 10.0.0.7:6379: Connection refused`: one line, with the password masked."""
    message = _cause(error)
    return f"Redis at {where}: {message.replace(password, '…') if password else message}"


def _cause(error: Exception) -> str:
    """Returns the system's reason when there is one, because redis-py's message would repeat the address; else that."""
    lost = error if isinstance(error, OSError) else error.__context__
    if isinstance(lost, OSError) and lost.errno is not None and lost.strerror:
        # asyncio words a refused connection in its own way; the error number of an unknown host name is below 0.
        return os.strerror(lost.errno) if lost.errno > 0 else lost.strerror
    message = " ".join(str(error).split())
    return message if isinstance(error, AuthenticationError) else f"{type(error).__name__}: {message}"
