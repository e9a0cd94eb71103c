using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Reads which records belong to a replay, once for each membership in the group: a replay can only begin while the
/// group has no members. Thread-safe.
/// </summary>
/// <param name="context">What the receiver is for.</param>
internal sealed class ReplayNotes(ReceiverContext context)
{
    // The time after which the events are delivered as if there were no replay.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RepeatAfter = TimeSpan.FromMilliseconds(500);

    private readonly Lock gate = new();
    private Task<IReadOnlyDictionary<TopicPartition, ReplayRecord>>? reading;

    /// <summary>Gets the replay of each partition that has one. Never throws.</summary>
    public Task<IReadOnlyDictionary<TopicPartition, ReplayRecord>> GetAsync()
    {
        lock (gate)
        {
            return reading ??= Task.Run(ReadAllAsync);
        }
    }

    /// <summary>Reads again at the next call, because the membership has ended.</summary>
    public void Forget()
    {
        lock (gate)
        {
            reading = null;
        }
    }

    /// <summary>Reads the notes of a group.</summary>
    public static async Task<IReadOnlyDictionary<TopicPartition, ReplayRecord>> ReadAsync(
        ReceiverContext context, CancellationToken cancellationToken)
    {
        var notes = await new KafkaOffsets(context.Connector.Admin)
            .ReadCommittedAsync(KafkaGroupNames.ReplaysOf(context.Group), cancellationToken);
        return notes.ToDictionary(note => note.Key, note => ReplayRecord.FromOffset(note.Value));
    }

    /// <summary>True if a repetition does not help. Without the right to read notes there is no replay.</summary>
    private static bool IsRefusal(Exception exception) => KafkaErrors.ErrorsOf(exception).Any(KafkaErrors.IsRefusal);

    private async Task<IReadOnlyDictionary<TopicPartition, ReplayRecord>> ReadAllAsync()
    {
        var begun = context.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return await ReadAsync(context, CancellationToken.None);
            }
            catch (Exception exception)
            {
                if (context.IsStopping || context.Time.GetElapsedTime(begun) >= Limit || IsRefusal(exception))
                {
                    Forget();
                    context.Log.ReplaysUnknown(context.Name, KafkaErrors.CauseOf(exception)!);
                    return new Dictionary<TopicPartition, ReplayRecord>();
                }
            }

            await Task.Delay(RepeatAfter, context.Time).Quietly();
        }
    }
}
