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
    // A topic that was just created has no leader for a moment.
    private static readonly TimeSpan LeaderWait = TimeSpan.FromMilliseconds(50);

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
    public async Task PinAsync(
        IReadOnlyList<TopicMetadata> topics, Func<string, bool> isNamed, CancellationToken cancellationToken)
    {
        TopicPartition[] partitions =
            [.. topics.SelectMany(topic => topic.Partitions.Select(partition => new TopicPartition(topic.Topic, partition.PartitionId)))];
        if (partitions.Length == 0)
        {
            return;
        }

        // The ends are read first. If another instance sets the positions in between and goes live, what is published
        // after that is behind these ends.
        var starts = await ReadStartsAsync(partitions, cancellationToken);
        var known = await ReadKnownTopicsAsync(cancellationToken);
        if (known.Count > 0 && (context.Options.FromBeginning || context.Options.FromTime is not null) && !isSaid)
        {
            isSaid = true;
            context.Log.StartIgnored(
                context.Options.FromTime is null ? nameof(KafkaOptions.FromBeginning) : nameof(KafkaOptions.FromTime),
                context.Name,
                context.Group);
        }

        TopicPartitionOffset[] missing =
            [.. starts.Where(start => !known.Contains(start.Topic) && (known.Count == 0 || isNamed(start.Topic)))];
        if (missing.Length > 0)
        {
            await WriteAsync(missing, cancellationToken);
        }
    }

    private async Task<TopicPartitionOffset[]> ReadStartsAsync(TopicPartition[] partitions, CancellationToken cancellationToken)
    {
        var begun = context.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return await ReadStartsOnceAsync(partitions, cancellationToken);
            }
            catch (ListOffsetsException exception) when (
                IsWithoutLeader(exception) && context.Time.GetElapsedTime(begun) < context.Options.CallTimeout)
            {
                await Task.Delay(LeaderWait, context.Time, cancellationToken);
            }
        }
    }

    private async Task<TopicPartitionOffset[]> ReadStartsOnceAsync(TopicPartition[] partitions, CancellationToken cancellationToken)
    {
        if (context.Options.FromTime is not { } time)
        {
            return await ListAsync(
                partitions, context.Options.FromBeginning ? OffsetSpec.Earliest() : OffsetSpec.Latest(), cancellationToken);
        }

        // A partition without a record at the time or later begins at its end, which is read first: an event that is
        // published in between is behind it.
        var ends = await ListAsync(partitions, OffsetSpec.Latest(), cancellationToken);
        var found = await ListAsync(partitions, OffsetSpec.ForTimestamp(time.ToUnixTimeMilliseconds()), cancellationToken);
        var starts = found.Where(start => start.Offset >= 0).ToDictionary(start => start.TopicPartition, start => start.Offset);
        return
        [
            .. ends.Select(end => new TopicPartitionOffset(
                end.TopicPartition, starts.GetValueOrDefault(end.TopicPartition, end.Offset))),
        ];
    }

    private async Task<TopicPartitionOffset[]> ListAsync(
        TopicPartition[] partitions, OffsetSpec start, CancellationToken cancellationToken)
    {
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

    private static bool IsWithoutLeader(ListOffsetsException exception) => exception.Result.ResultInfos
        .Select(info => info.TopicPartitionOffsetError.Error)
        .Where(error => error.IsError)
        .All(error => error.Code is ErrorCode.LeaderNotAvailable
            or ErrorCode.NotLeaderForPartition
            or ErrorCode.UnknownTopicOrPart
            or ErrorCode.Local_UnknownPartition
            or ErrorCode.Local_UnknownTopic
            or ErrorCode.UnknownLeaderEpoch
            or ErrorCode.FencedLeaderEpoch);

    /// <summary>Reads the topics in which the group has a position.</summary>
    private async Task<HashSet<string>> ReadKnownTopicsAsync(CancellationToken cancellationToken) =>
        (await context.Connector.Admin.ReadCommittedAsync(context.Group, cancellationToken))
            .Select(found => found.Topic)
            .ToHashSet(StringComparer.Ordinal);

    private async Task WriteAsync(TopicPartitionOffset[] starts, CancellationToken cancellationToken)
    {
        try
        {
            await context.Connector.Admin.WriteCommittedAsync(context.Group, starts, cancellationToken);
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
