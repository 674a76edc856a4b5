"""Classifies each Kafka error as retry, dead letter or stop, in one table. Never retries by itself.

Sources: `aiokafka.errors`, and `org.apache.kafka.common.protocol.Errors` for what each code means.
"""

from collections.abc import Mapping

from aiokafka.errors import BrokerResponseError, KafkaError, kafka_errors

from consumers.errors import Incurable
from service.store.client.redis_errors import Remedy
from service.store.ports.errors import StoreDenied, StoreUnavailable


class InvalidRecord(BrokerResponseError):  # type: ignore[misc]  # aiokafka ships no types
    """A topic refuses a record for what it is. aiokafka doesn't know the code and would call it UnknownError."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The topic refuses the record: one with cleanup.policy=compact takes none without a key"

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or (self.description,)))


kafka_errors[InvalidRecord.errno] = InvalidRecord

KAFKA_ERRORS: Mapping[str, Remedy] = {
    # A broker, the network, a leader, a coordinator or the group is changing.
    "BrokerNotAvailableError": Remedy.AGAIN,
    "Cancelled": Remedy.AGAIN,
    "CommitFailedError": Remedy.AGAIN,
    "ConcurrentTransactions": Remedy.AGAIN,
    "CorrelationIdError": Remedy.AGAIN,
    "FetchSessionIdNotFound": Remedy.AGAIN,
    "GroupCoordinatorNotAvailableError": Remedy.AGAIN,
    "GroupLoadInProgressError": Remedy.AGAIN,
    "IllegalGenerationError": Remedy.AGAIN,
    "InvalidFetchSessionEpoch": Remedy.AGAIN,
    "KafkaConnectionError": Remedy.AGAIN,
    "KafkaProtocolError": Remedy.AGAIN,
    "KafkaStorageError": Remedy.AGAIN,
    "KafkaTimeoutError": Remedy.AGAIN,
    "KafkaUnavailableError": Remedy.AGAIN,
    "LeaderNotAvailableError": Remedy.AGAIN,
    "ListenerNotFound": Remedy.AGAIN,
    "MemberIdRequired": Remedy.AGAIN,
    "MetadataEmptyBrokerList": Remedy.AGAIN,
    "NoBrokersAvailable": Remedy.AGAIN,
    "NodeNotReadyError": Remedy.AGAIN,
    "NotControllerError": Remedy.AGAIN,
    "NotCoordinatorForGroupError": Remedy.AGAIN,
    "NotEnoughReplicasAfterAppendError": Remedy.AGAIN,
    "NotEnoughReplicasError": Remedy.AGAIN,
    "NotLeaderForPartitionError": Remedy.AGAIN,
    "OperationNotAttempted": Remedy.AGAIN,
    "QuotaViolationError": Remedy.AGAIN,
    "ReassignmentInProgress": Remedy.AGAIN,
    "RebalanceInProgressError": Remedy.AGAIN,
    "ReplicaNotAvailableError": Remedy.AGAIN,
    "RequestTimedOutError": Remedy.AGAIN,
    "StaleControllerEpochError": Remedy.AGAIN,
    "StaleLeaderEpochCodeError": Remedy.AGAIN,
    "StaleMetadata": Remedy.AGAIN,
    "TooManyInFlightRequests": Remedy.AGAIN,
    "TopicAlreadyExistsError": Remedy.AGAIN,  # another process was first
    "UnknownError": Remedy.AGAIN,  # also every code that aiokafka doesn't know; most of those are temporary
    "UnknownMemberIdError": Remedy.AGAIN,
    "KafkaError": Remedy.AGAIN,  # aiokafka's group coordinator raises it for a code that it doesn't expect
    # A partition was revoked, or its log changed: positioning decides, and may raise LogShrank or RetentionOvertook.
    "IllegalStateError": Remedy.AGAIN,
    "NoOffsetForPartitionError": Remedy.AGAIN,
    "OffsetOutOfRangeError": Remedy.AGAIN,
    "UnknownTopicOrPartitionError": Remedy.AGAIN,
    # A record or a batch is broken.
    "CorruptRecordException": Remedy.PARK,
    "RecordTooLargeError": Remedy.PARK,
    "UnsupportedCodecError": Remedy.PARK,
    # The brokers refuse this client.
    "AuthenticationFailedError": Remedy.STOP,
    "AuthenticationMethodNotSupported": Remedy.STOP,
    "ClusterAuthorizationFailedError": Remedy.STOP,
    "DelegationTokenAuthDisabled": Remedy.STOP,
    "DelegationTokenAuthorizationFailed": Remedy.STOP,
    "DelegationTokenExpired": Remedy.STOP,
    "DelegationTokenNotFound": Remedy.STOP,
    "DelegationTokenOwnerMismatch": Remedy.STOP,
    "DelegationTokenRequestNotAllowed": Remedy.STOP,
    "GroupAuthorizationFailedError": Remedy.STOP,
    "IllegalSaslStateError": Remedy.STOP,
    "InvalidPrincipalType": Remedy.STOP,
    "SaslAuthenticationFailed": Remedy.STOP,
    "SecurityDisabled": Remedy.STOP,
    "TopicAuthorizationFailedError": Remedy.STOP,
    "TransactionalIdAuthorizationFailed": Remedy.STOP,
    "UnsupportedSaslMechanismError": Remedy.STOP,
    # Broker, topic or group have a configuration that doesn't work for this program.
    "GroupIdNotFound": Remedy.STOP,
    "IncompatibleBrokerVersion": Remedy.STOP,
    "InconsistentGroupProtocolError": Remedy.STOP,
    "InvalidConfigurationError": Remedy.STOP,
    "InvalidGroupIdError": Remedy.STOP,
    "InvalidPartitionsError": Remedy.STOP,
    "InvalidRecord": Remedy.STOP,
    "InvalidReplicationAssignmentError": Remedy.STOP,
    "InvalidReplicationFactorError": Remedy.STOP,
    "InvalidSessionTimeoutError": Remedy.STOP,
    "InvalidTimestampError": Remedy.STOP,
    "InvalidTopicError": Remedy.STOP,
    "InvalidTransactionTimeout": Remedy.STOP,
    "LogDirNotFound": Remedy.STOP,
    "MessageSizeTooLargeError": Remedy.STOP,
    "NonEmptyGroup": Remedy.STOP,
    "PolicyViolationError": Remedy.STOP,
    "RecordListTooLargeError": Remedy.STOP,
    "UnrecognizedBrokerVersion": Remedy.STOP,
    "UnsupportedForMessageFormatError": Remedy.STOP,
    "UnsupportedVersionError": Remedy.STOP,
    # A bug in this program or in aiokafka.
    "BrokerResponseError": Remedy.STOP,
    "ConsumerStoppedError": Remedy.STOP,
    "DuplicateSequenceNumber": Remedy.STOP,
    "IllegalArgumentError": Remedy.STOP,
    "IllegalOperation": Remedy.STOP,
    "InvalidCommitOffsetSizeError": Remedy.STOP,
    "InvalidFetchRequestError": Remedy.STOP,
    "InvalidProducerEpoch": Remedy.STOP,
    "InvalidProducerIdMapping": Remedy.STOP,
    "InvalidRequestError": Remedy.STOP,
    "InvalidRequiredAcksError": Remedy.STOP,
    "InvalidTxnState": Remedy.STOP,
    "KafkaConfigurationError": Remedy.STOP,
    "NoError": Remedy.STOP,
    "OffsetMetadataTooLargeError": Remedy.STOP,
    "OutOfOrderSequenceNumber": Remedy.STOP,
    "ProducerClosed": Remedy.STOP,
    "ProducerFenced": Remedy.STOP,
    "TransactionCoordinatorFenced": Remedy.STOP,
    "UnknownProducerId": Remedy.STOP,
}
"""The remedy by class name in `aiokafka.errors` and here; a class that isn't listed has its nearest base class's."""

RETRIED = (StoreUnavailable, KafkaError, TimeoutError)
"""The errors that a loop catches and passes to `check_retry`. Any other exception is a bug in this program."""


def remedy_of(error: Exception) -> Remedy:
    """Returns the remedy for an error of Kafka or of the store."""
    if isinstance(error, KafkaError):
        return next(KAFKA_ERRORS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in KAFKA_ERRORS)
    return Remedy.STOP if isinstance(error, StoreDenied) else Remedy.AGAIN


def check_retry(error: Exception) -> None:
    """Returns when a retry may help. Otherwise raises Incurable, or `error` itself if it is a StoreDenied."""
    if remedy_of(error) is not Remedy.AGAIN:
        if isinstance(error, StoreDenied):
            raise error
        raise Incurable(cause_of(error)) from error


def cause_of(error: Exception) -> str:
    """Returns one line for operators: the error's source, class and message."""
    if isinstance(error, StoreUnavailable):
        return str(error)
    where = "Kafka: " if isinstance(error, KafkaError) else ""
    return where + ": ".join((type(error).__name__, *map(str, error.args)))
