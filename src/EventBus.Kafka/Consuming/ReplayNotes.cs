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

    // The events of new partitions wait for the answer. Another attempt has another connection.
    private static readonly TimeSpan AnswerWait = TimeSpan.FromSeconds(2);
    private const int MaxAttempts = 3;

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

    /// <summary>Reads until an attempt succeeds. One without an answer does not hold up the others.</summary>
    private async Task<IReadOnlyDictionary<TopicPartition, ReplayRecord>> ReadAllAsync()
    {
        var begun = context.Time.GetTimestamp();
        List<Task<IReadOnlyDictionary<TopicPartition, ReplayRecord>>> attempts = [];
        while (true)
        {
            if (attempts.Count < MaxAttempts)
            {
                attempts.Add(ReadAsync(context, CancellationToken.None).Observed());
            }

            await Task.WhenAny([.. attempts, Task.Delay(AnswerWait, context.Time)]);
            if (attempts.Find(attempt => attempt.IsCompletedSuccessfully) is { } answered)
            {
                return await answered;
            }

            var failed = attempts.Find(attempt => attempt.IsCompleted);
            var error = failed?.Exception?.InnerException;
            if (IsLast(error, begun))
            {
                Forget();
                context.Log.ReplaysUnknown(context.Name, KafkaErrors.CauseOf(error) ?? "There was no answer.");
                return new Dictionary<TopicPartition, ReplayRecord>();
            }

            if (failed is not null)
            {
                attempts.RemoveAll(attempt => attempt.IsCompleted);
                await Task.Delay(RepeatAfter, context.Time);
            }
        }
    }

    private bool IsLast(Exception? error, long begun) =>
        context.IsStopping || context.Time.GetElapsedTime(begun) >= Limit || (error is not null && IsRefusal(error));
}
