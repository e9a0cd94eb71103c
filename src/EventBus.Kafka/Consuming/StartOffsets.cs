using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus;

/// <summary>
/// Sets the positions at which a new group begins, before its first member joins: what is published afterwards is then
/// read, whatever happens to the members.
/// </summary>
/// <param name="context">What the receiver is for.</param>
internal sealed class StartOffsets(ReceiverContext context)
{
    private bool isSaid;

    /// <summary>
    /// Sets the positions of topics that the group has never read. A topic that it reads keeps its positions, and a
    /// partition of it without one begins at its first record.
    /// </summary>
    /// <param name="topics">The topics, with their partitions.</param>
    /// <param name="isNamed">
    /// True for a topic that the application names. Another topic was found by a wildcard: if the group exists, it
    /// appeared later.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The partitions whose position was set, and whether the group had positions before.</returns>
    public async Task<IReadOnlySet<TopicPartition>> PinAsync(
        IReadOnlyList<TopicMetadata> topics, Func<string, bool> isNamed, CancellationToken cancellationToken)
    {
        TopicPartition[] partitions =
            [.. topics.SelectMany(topic => topic.Partitions.Select(partition => new TopicPartition(topic.Topic, partition.PartitionId)))];
        if (partitions.Length == 0)
        {
            return new HashSet<TopicPartition>();
        }

        // The ends are read first. If another instance sets the positions in between and goes live, what is published
        // after that is behind these ends.
        var starts = await ReadStartsAsync(partitions, cancellationToken);
        var known = await ReadKnownTopicsAsync(cancellationToken);
        if (known.Count > 0 && context.Options.FromBeginning && !isSaid)
        {
            isSaid = true;
            context.Log.FromBeginningIgnored(context.Name, context.Group);
        }

        TopicPartitionOffset[] missing =
            [.. starts.Where(start => !known.Contains(start.Topic) && (known.Count == 0 || isNamed(start.Topic)))];
        if (missing.Length > 0)
        {
            await WriteAsync(missing, cancellationToken);
        }

        return missing.Select(start => start.TopicPartition).ToHashSet();
    }

    private async Task<TopicPartitionOffset[]> ReadStartsAsync(TopicPartition[] partitions, CancellationToken cancellationToken)
    {
        var start = context.Options.FromBeginning ? OffsetSpec.Earliest() : OffsetSpec.Latest();
        var answer = await context.Connector.Admin.CallAsync(
            (admin, timeout) => admin.ListOffsetsAsync(
                partitions.Select(partition => new TopicPartitionOffsetSpec { TopicPartition = partition, OffsetSpec = start }),
                new ListOffsetsOptions { RequestTimeout = timeout, IsolationLevel = IsolationLevel.ReadUncommitted }),
            cancellationToken);
        return
        [
            .. answer.ResultInfos.Select(info =>
                new TopicPartitionOffset(info.TopicPartitionOffsetError.TopicPartition, info.TopicPartitionOffsetError.Offset)),
        ];
    }

    /// <summary>Reads the topics in which the group has a position.</summary>
    private async Task<HashSet<string>> ReadKnownTopicsAsync(CancellationToken cancellationToken) =>
        (await context.Connector.Admin.ReadCommittedAsync(context.Group, cancellationToken))
            .Select(found => found.Topic)
            .ToHashSet(StringComparer.Ordinal);

    private async Task WriteAsync(TopicPartitionOffset[] starts, CancellationToken cancellationToken)
    {
        try
        {
            var admin = context.Connector.Admin;
            await admin.WhileMovingAsync(
                () => admin.CallAsync(
                    (client, timeout) => client.AlterConsumerGroupOffsetsAsync(
                        [new ConsumerGroupTopicPartitionOffsets(context.Group, [.. starts])],
                        new AlterConsumerGroupOffsetsOptions { RequestTimeout = timeout }),
                    cancellationToken),
                cancellationToken);
        }
        catch (KafkaException exception) when (HasMembers(exception))
        {
            // An instance has joined the group, so it has set the positions before.
        }
    }

    private static bool HasMembers(KafkaException exception) =>
        exception is AlterConsumerGroupOffsetsException many
            ? many.Results.SelectMany(group => group.Partitions).Where(partition => partition.Error.IsError)
                .All(partition => IsOfMembers(partition.Error.Code))
            : IsOfMembers(exception.Error.Code);

    private static bool IsOfMembers(ErrorCode code) => code is ErrorCode.UnknownMemberId
        or ErrorCode.IllegalGeneration
        or ErrorCode.NonEmptyGroup
        or ErrorCode.RebalanceInProgress
        or ErrorCode.StaleMemberEpoch;
}
