using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus;

/// <summary>
/// Classifies errors of the cluster and of the client. A refusal is an error that a retry cannot resolve: an operator
/// must change something.
/// </summary>
internal static class KafkaErrors
{
    private const int MaxCauseLength = 300;

    /// <summary>True for an error that an operator must resolve.</summary>
    public static bool IsRefusal(Error error) => IsRefusal(error.Code)

        // The client closes the connection and cannot tell that the protocol is the reason.
        || error.Reason.Contains("incorrect security.protocol", StringComparison.Ordinal);

    /// <summary>True for an error code that an operator must resolve.</summary>
    public static bool IsRefusal(ErrorCode code) => code is ErrorCode.Local_Authentication
        or ErrorCode.Local_Ssl
        or ErrorCode.Local_UnsupportedFeature
        or ErrorCode.SaslAuthenticationFailed
        or ErrorCode.UnsupportedSaslMechanism
        or ErrorCode.IllegalSaslState
        or ErrorCode.TopicAuthorizationFailed
        or ErrorCode.GroupAuthorizationFailed
        or ErrorCode.ClusterAuthorizationFailed;

    /// <summary>True if a topic or partition is missing.</summary>
    public static bool IsMissingTopic(ErrorCode code) =>
        code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition;

    /// <summary>True if a call failed: the cluster refused it, did not answer in time, or was not connected.</summary>
    public static bool IsCallFailure(Exception exception) => exception is TimeoutException or KafkaException;

    /// <summary>
    /// True if a group moves to another broker or is being loaded by it: the same call can soon succeed.
    /// </summary>
    public static bool IsMoving(KafkaException exception) => ErrorsOf(exception).Any(error => error.Code
        is ErrorCode.NotCoordinatorForGroup or ErrorCode.GroupCoordinatorNotAvailable or ErrorCode.GroupLoadInProgress);

    /// <summary>True if the positions of a group cannot be written, because it has members.</summary>
    public static bool HaveMembers(KafkaException exception)
    {
        Error[] errors = [.. ErrorsOf(exception)];
        return errors.Length > 0 && errors.All(error => IsOfMembers(error.Code));
    }

    /// <summary>Gets the errors of an exception: those of its single results if it has some.</summary>
    public static IEnumerable<Error> ErrorsOf(Exception? exception) => exception switch
    {
        CreateTopicsException many => many.Results.Select(result => result.Error).Where(error => error.IsError),
        DescribeTopicsException many => many.Results.TopicDescriptions.Select(result => result.Error).Where(error => error.IsError),
        ListConsumerGroupOffsetsException many => many.Results.Select(result => result.Error).Where(error => error.IsError),
        AlterConsumerGroupOffsetsException many => many.Results.SelectMany(ErrorsOf),
        DescribeConsumerGroupsException many =>
            many.Results.ConsumerGroupDescriptions.Select(result => result.Error).Where(error => error.IsError),
        DeleteGroupsException many => many.Results.Select(result => result.Error).Where(error => error.IsError),
        KafkaException single => [single.Error],
        _ => [],
    };

    private static bool IsOfMembers(ErrorCode code) => code is ErrorCode.UnknownMemberId
        or ErrorCode.IllegalGeneration
        or ErrorCode.NonEmptyGroup
        or ErrorCode.RebalanceInProgress
        or ErrorCode.StaleMemberEpoch;

    private static IEnumerable<Error> ErrorsOf(AlterConsumerGroupOffsetsReport group) =>
        [.. group.Partitions.Select(partition => partition.Error).Prepend(group.Error).Where(error => error.IsError)];

    /// <summary>Describes an error as a sentence.</summary>
    public static string CauseOf(Error error) => CauseOf(error.Reason is { Length: > 0 } reason ? reason : error.Code.ToString());

    /// <summary>Describes an exception as a sentence; null for none.</summary>
    public static string? CauseOf(Exception? exception) => exception switch
    {
        null => null,
        _ when ErrorsOf(exception).FirstOrDefault() is { } error => CauseOf(error),
        _ => CauseOf(exception.Message),
    };

    private static string CauseOf(string text)
    {
        var line = text.Split('\r', '\n')[0].Trim();
        return $"{(line.Length > MaxCauseLength ? line[..MaxCauseLength] : line).TrimEnd('.')}.";
    }
}
