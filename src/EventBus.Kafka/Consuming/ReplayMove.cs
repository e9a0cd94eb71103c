using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Moves the positions of a group back for a replay, while the group has no members. The broker refuses it otherwise.
/// </summary>
/// <param name="context">What the receiver is for.</param>
internal sealed class ReplayMove(ReceiverContext context)
{
    private readonly KafkaAdmin admin = context.Connector.Admin;
    private readonly KafkaOffsets offsets = new(context.Connector.Admin);

    private string Notes => KafkaGroupNames.ReplaysOf(context.Group);

    /// <summary>Notes the replay, and then moves the positions. Returns the number of the replay.</summary>
    /// <param name="start">Where the replay begins.</param>
    /// <param name="topics">The topics that the subscription reads.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="EventBusException">Nothing was moved; the message says why.</exception>
    /// <exception cref="KafkaException">The cluster refused a call.</exception>
    public async Task<long> RunAsync(ReplayStart start, IReadOnlyList<string> topics, CancellationToken cancellationToken)
    {
        var positions = (await offsets.ReadCommittedAsync(context.Group, cancellationToken))
            .Where(position => topics.Contains(position.Key.Topic, StringComparer.Ordinal))
            .ToDictionary(position => position.Key, position => position.Value);
        var starts = await FindStartsAsync(start, positions, cancellationToken);
        TopicPartitionOffset[] moved =
        [
            .. starts.Where(each => each.Value >= 0 && each.Value < positions[each.Key])
                .Select(each => new TopicPartitionOffset(each.Key, each.Value)),
        ];
        var earlier = await ReplayNotes.ReadAsync(context, cancellationToken);
        if (moved.Length == 0)
        {
            throw NothingToReplay(start, positions, earlier);
        }

        var last = earlier.Values.Select(note => note.Number).DefaultIfEmpty().Max();
        var number = ReplayRecord.NumberAfter(last, context.Time.GetUtcNow());
        await NoteAsync(moved, number, positions, earlier, cancellationToken);
        try
        {
            await admin.WriteCommittedAsync(context.Group, moved, cancellationToken);
        }
        catch (KafkaException exception) when (KafkaErrors.HaveMembers(exception))
        {
            await WithdrawAsync(moved, earlier, cancellationToken);
            throw KafkaGroups.HasOtherMembers(context.Group, context.Name);
        }

        return number;
    }

    private EventBusException NothingToReplay(
        ReplayStart start, Dictionary<TopicPartition, long> positions, IReadOnlyDictionary<TopicPartition, ReplayRecord> earlier)
    {
        var present = positions.Where(position => earlier.GetValueOrDefault(position.Key).Includes(position.Value))
            .Select(position => earlier[position.Key].Number).DefaultIfEmpty().Max();
        return new EventBusException(present > 0
            ? $"The replay {present} of the subscription '{context.Name}' is still under way, and has handled no event from {start} on. "
                + "There is nothing more to replay."
            : $"There is nothing to replay: the subscription '{context.Name}' has handled no event from {start} on.");
    }

    /// <summary>Restores the notes, because the positions were not moved.</summary>
    private async Task WithdrawAsync(
        TopicPartitionOffset[] moved, IReadOnlyDictionary<TopicPartition, ReplayRecord> earlier, CancellationToken cancellationToken)
    {
        TopicPartitionOffset[] notes =
        [
            .. moved.Select(each => new TopicPartitionOffset(
                each.TopicPartition,
                earlier.TryGetValue(each.TopicPartition, out var note) && note.Number > 0 ? note.ToOffset() : 0)),
        ];
        await admin.WriteCommittedAsync(Notes, notes, cancellationToken).Quietly();
    }

    /// <summary>
    /// Notes first: if the process ends now, nothing is delivered again. The reverse would make an idempotent
    /// subscription skip the replay as copies.
    /// </summary>
    private async Task NoteAsync(
        TopicPartitionOffset[] moved,
        long number,
        Dictionary<TopicPartition, long> positions,
        IReadOnlyDictionary<TopicPartition, ReplayRecord> earlier,
        CancellationToken cancellationToken)
    {
        TopicPartitionOffset[] notes =
        [
            .. moved.Select(each =>
            {
                // A replay during another one ends where that one would have.
                var until = Math.Max(positions[each.TopicPartition], earlier.GetValueOrDefault(each.TopicPartition).Until);
                return until > ReplayRecord.MaxUntil
                    ? throw new EventBusException($"{each.TopicPartition} has too many records for a replay: {until:N0}.")
                    : new TopicPartitionOffset(each.TopicPartition, new ReplayRecord(number, until).ToOffset());
            }),
        ];
        await admin.WriteCommittedAsync(Notes, notes, cancellationToken);
    }

    private async Task<IReadOnlyDictionary<TopicPartition, long>> FindStartsAsync(
        ReplayStart start, Dictionary<TopicPartition, long> positions, CancellationToken cancellationToken)
    {
        if (start.Topic is { } topic)
        {
            var partition = new TopicPartition(topic, start.Partition);
            return positions.ContainsKey(partition)
                ? new Dictionary<TopicPartition, long> { [partition] = start.Offset }
                : throw new EventBusException(
                    $"The subscription '{context.Name}' has no position in {topic} [{start.Partition}], so it cannot be replayed there.");
        }

        var found = start.Time is { } time
            ? await offsets.ReadAtAsync(positions.Keys, time, cancellationToken)
            : await offsets.ReadBeginningsAsync(positions.Keys, cancellationToken);
        var missing = positions.Keys.FirstOrDefault(partition => !found.ContainsKey(partition));
        return missing is null
            ? found
            : throw new EventBusException(
                $"Kafka at {admin.Address} did not say where the replay begins in {missing.Topic} [{missing.Partition.Value}]. Try again.");
    }
}
