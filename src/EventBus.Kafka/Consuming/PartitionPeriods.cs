using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Notes in the cluster when this instance begins and ends to handle partitions, so that the next owner of a partition
/// detects that the process of the one before it has ended during its events. Kafka itself counts no deliveries.
/// </summary>
/// <remarks>
/// Two reads and one write when partitions are assigned, with a third read about replays at the first time; one write
/// when they are given away. The notes are the positions of a second group. Without them everything else works; then a
/// start that ended its process is not counted.
/// </remarks>
/// <param name="context">What the receiver is for.</param>
/// <param name="records">The records of the receiver.</param>
internal sealed class PartitionPeriods(ReceiverContext context, UnackedRecords records)
{
    // The time after which the events of new partitions are offered without an answer.
    private static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(5);

    // The group, or the stop of the process, waits meanwhile.
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly ReplayNotes replays = new(context);

    // The last write of an end. Only the poll thread sets it.
    private Task closing = Task.CompletedTask;

    private string Group => KafkaGroupNames.PeriodsOf(context.Group);

    /// <summary>
    /// Notes that partitions are handled here, and then lets their records be offered. Does not wait for it.
    /// </summary>
    public void Begin(IReadOnlyList<OwnedPartition> partitions)
    {
        var closed = closing;
        var opening = Task.Run(() => OpenAsync([.. partitions.Select(partition => (partition, partition.Records))], closed)).Observed();
        foreach (var partition in partitions)
        {
            partition.Opening = opening;
        }
    }

    /// <summary>Forgets what only a member of the group knows for certain, because the membership was lost.</summary>
    public void Forget() => replays.Forget();

    /// <summary>
    /// Notes that the periods of partitions have ended properly: all that the bus had taken is settled. Blocks the poll
    /// thread for a limited time. Never throws.
    /// </summary>
    public void End(IReadOnlyList<OwnedPartition> partitions)
    {
        if (partitions.Count == 0)
        {
            return;
        }

        foreach (var partition in partitions)
        {
            // Another process may write an equal note later, which is then not that of this one.
            context.OwnPeriods.TryRemove(partition.Partition, out _);
        }

        using var limit = new CancellationTokenSource(CloseTimeout, context.Time);
        var token = limit.Token;
        closing = Task.Run(() => CloseAsync(partitions, token)).Observed();
        try
        {
            if (!closing.Wait(CloseTimeout))
            {
                // A write that continues would replace the note of the next owner. Dispose stops the timer.
                limit.Cancel();
                context.Log.PeriodsNotEnded(context.Name, $"There was no answer for {CloseTimeout.TotalSeconds:0} s.");
            }
        }
        catch (AggregateException exception)
        {
            context.Log.PeriodsNotEnded(context.Name, exception.InnerException!.Message);
        }
    }

    private async Task OpenAsync((OwnedPartition Partition, KafkaPartition Records)[] partitions, Task closed)
    {
        IReadOnlyDictionary<TopicPartition, int> ends = new Dictionary<TopicPartition, int>();
        var reading = replays.GetAsync();
        try
        {
            using var limit = new CancellationTokenSource(OpenTimeout, context.Time);
            ends = await NoteAsync([.. partitions.Select(each => each.Partition)], closed, limit.Token)
                .Observed()
                .WaitAsync(limit.Token);
            if (ends.Values.Any(count => count > 0))
            {
                var unclean = ends.Where(pair => pair.Value > 0).Select(pair => $"{pair.Key} ({pair.Value})");
                context.Log.UncleanEnd(context.Name, string.Join(", ", unclean));
            }
        }
        catch (Exception exception)
        {
            context.Log.PeriodsNotNoted(context.Name, partitions.Length, KafkaErrors.CauseOf(exception)!);
        }
        finally
        {
            var replayed = await reading;
            foreach (var (partition, held) in partitions)
            {
                records.Admit(held, ends.GetValueOrDefault(partition.Partition), replayed.GetValueOrDefault(partition.Partition));
            }
        }
    }

    private async Task<IReadOnlyDictionary<TopicPartition, int>> NoteAsync(
        OwnedPartition[] partitions, Task closed, CancellationToken cancellationToken)
    {
        // An end that this process still writes must not come after the new beginning.
        await closed.Quietly();
        var ends = await ReadAndWriteAsync([.. partitions.Select(partition => partition.Partition)], cancellationToken);

        // Also if the caller no longer waits: the end is to be noted then.
        foreach (var partition in partitions)
        {
            partition.IsNoted = true;
        }

        return ends;
    }

    /// <summary>Reads how often the earlier owners did not end properly, and notes the new period.</summary>
    private async Task<IReadOnlyDictionary<TopicPartition, int>> ReadAndWriteAsync(
        IReadOnlyCollection<TopicPartition> partitions, CancellationToken cancellationToken)
    {
        var offsets = new KafkaOffsets(context.Connector.Admin);
        var reading = offsets.ReadCommittedAsync(context.Group, cancellationToken);
        var notes = await offsets.ReadCommittedAsync(Group, cancellationToken);
        var positions = await reading;
        var ends = partitions.ToDictionary(
            partition => partition,
            partition => PeriodRecord.FromOffset(notes.GetValueOrDefault(partition)).UncleanEndsAt(
                positions.GetValueOrDefault(partition),
                context.OwnPeriods.GetValueOrDefault(partition)));
        var begun = partitions.ToDictionary(
            partition => partition,
            partition => new PeriodRecord(positions.GetValueOrDefault(partition), ends[partition], IsOpen: true));
        await WriteAsync(begun.Select(pair => (pair.Key, pair.Value)), cancellationToken);
        foreach (var (partition, record) in begun)
        {
            context.OwnPeriods[partition] = record;
        }

        return ends;
    }

    private async Task CloseAsync(IReadOnlyList<OwnedPartition> partitions, CancellationToken cancellationToken)
    {
        await Task.WhenAll(partitions.Select(partition => partition.Opening)).WaitAsync(cancellationToken);
        var noted = partitions.Where(partition => partition.IsNoted).Select(partition => (partition.Partition, default(PeriodRecord)));
        await WriteAsync(noted, cancellationToken);
    }

    private async Task WriteAsync(IEnumerable<(TopicPartition Partition, PeriodRecord Record)> notes, CancellationToken cancellationToken)
    {
        TopicPartitionOffset[] written = [.. notes.Select(note => new TopicPartitionOffset(note.Partition, note.Record.ToOffset()))];
        if (written.Length > 0)
        {
            await context.Connector.Admin.WriteCommittedAsync(Group, written, cancellationToken);
        }
    }
}
