using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>Derives the outcome of an event from the report about its record, and describes errors.</summary>
internal static class KafkaOutcomes
{
    /// <summary>Gets the outcome of a record.</summary>
    /// <param name="status">
    /// What the client knows about the record. It alone says whether it may have been written.
    /// </param>
    /// <param name="error">The error of the record.</param>
    /// <param name="record">The record.</param>
    /// <param name="address">The addresses of the brokers.</param>
    public static PublishOutcome Of(PersistenceStatus status, Error error, in KafkaRecord record, string address) => status switch
    {
        PersistenceStatus.Persisted => PublishOutcome.Accepted,
        PersistenceStatus.PossiblyPersisted => PublishOutcome.InDoubt(Describe(error, record, address)),
        _ => NotSent(error, record, address),
    };

    /// <summary>Gets the outcome of a record that was certainly not written.</summary>
    public static PublishOutcome NotSent(Error error, in KafkaRecord record, string address) => IsPermanent(error.Code)
        ? PublishOutcome.Rejected(Describe(error, record, address))
        : PublishOutcome.Failed(Describe(error, record, address));

    /// <summary>Describes the failure of an event that was not sent by its deadline.</summary>
    public static Exception NotSentInTime(string address, Error? cause) => new TimeoutException(
        $"The event could not be sent to Kafka at {address} in time: "
            + (cause is null ? "the cluster is too slow for the number of events, or out of reach." : KafkaErrors.CauseOf(cause)));

    /// <summary>Describes the doubt about an event that was sent and not answered by its deadline.</summary>
    public static Exception NotConfirmedInTime(string address) =>
        new TimeoutException($"Kafka at {address} did not confirm the event in time.");

    private static bool IsPermanent(ErrorCode code) => code is ErrorCode.MsgSizeTooLarge
        or ErrorCode.RecordListTooLarge
        or ErrorCode.TopicAuthorizationFailed
        or ErrorCode.ClusterAuthorizationFailed
        or ErrorCode.InvalidRecord
        or ErrorCode.PolicyViolation
        or ErrorCode.TopicException;

    private static EventBusException Describe(Error error, in KafkaRecord record, string address)
    {
        var advice = error.Code switch
        {
            ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge =>
                $" The record has about {record.Size:N0} bytes. Publish less, for instance a reference to the data; or raise "
                    + $"{nameof(KafkaOptions)}.{nameof(KafkaOptions.MaxRecordBytes)} and max.message.bytes of the topic.",
            ErrorCode.TopicAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed =>
                " Grant the user the right Write on the topic (and IdempotentWrite on a cluster before Kafka 3.0).",
            ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic =>
                $" Create the topic, or let the bus do it with {nameof(KafkaOptions)}.{nameof(KafkaOptions.Provisioning)} = "
                    + $"{nameof(KafkaProvisioning.Create)}.",
            ErrorCode.InvalidRecord => " The topic refuses the record, for instance because it is compacted and the event has no key.",
            _ => "",
        };
        return new EventBusException(
            $"Kafka at {address}, topic '{record.Topic}': {KafkaErrors.CauseOf(error)}{advice}",
            new KafkaException(error));
    }
}
