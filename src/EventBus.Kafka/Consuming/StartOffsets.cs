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
        var starts = await ReadStartsAsync(partitions, ReadStartsOnceAsync, cancellationToken);
        var known = await ReadKnownTopicsAsync(cancellationToken);
        if (known.Count > 0 && Option is { } option && !isSaid)
        {
            isSaid = true;
            context.Log.StartIgnored(option, context.Name, context.Group);
        }

        TopicPartitionOffset[] missing =
            [.. starts.Where(start => !known.Contains(start.Topic) && (known.Count == 0 || isNamed(start.Topic)))];
        if (missing.Length > 0)
        {
            await WriteAsync(await ApplyOffsetsAsync(missing, cancellationToken), cancellationToken);
        }
    }

    /// <summary>The option that says where a new subscription begins; null for the default.</summary>
    private string? Option => context.Options switch
    {
        { FromTime: not null } => nameof(KafkaOptions.FromTime),
        { FromBeginning: true } => nameof(KafkaOptions.FromBeginning),
        _ => context.Options.GetOffsets().Count > 0 ? nameof(KafkaOptions.FromOffset) : null,
    };

    /// <summary>Replaces the positions of the partitions for which the application gives an offset.</summary>
    private async Task<TopicPartitionOffset[]> ApplyOffsetsAsync(TopicPartitionOffset[] starts, CancellationToken cancellationToken)
    {
        var offsets = context.Options.GetOffsets();
        TopicPartition[] given = [.. starts.Select(start => start.TopicPartition).Where(offsets.ContainsKey)];
        if (given.Length == 0)
        {
            return starts;
        }

        var ends = await ReadStartsAsync(given, (found, token) => ListAsync(found, OffsetSpec.Latest(), token), cancellationToken);
        var limits = ends.ToDictionary(end => end.TopicPartition, end => end.Offset.Value);
        foreach (var partition in given.Where(partition => offsets[partition] > limits[partition]))
        {
            context.Log.OffsetBehindTheEnd(context.Name, partition.Topic, partition.Partition.Value, offsets[partition], limits[partition]);
        }

        return
        [
            .. starts.Select(start => limits.TryGetValue(start.TopicPartition, out var limit)
                ? new TopicPartitionOffset(start.TopicPartition, Math.Min(offsets[start.TopicPartition], limit))
                : start),
        ];
    }

    private async Task<TopicPartitionOffset[]> ReadStartsAsync(
        TopicPartition[] partitions,
        Func<TopicPartition[], CancellationToken, Task<TopicPartitionOffset[]>> read,
        CancellationToken cancellationToken)
    {
        var begun = context.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return await read(partitions, cancellationToken);
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
                new ListOffsetsOptions { RequestTimeout = timeout, IsolationLevel = IsolationLevel.ReadCommitted }),
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
        catch (KafkaException exception) when (KafkaErrors.HaveMembers(exception))
        {
            // An instance has joined the group, so it has set the positions before.
        }
    }
}
