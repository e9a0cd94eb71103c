using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>Remembers what a receiver reports to the health check and to the log. Thread-safe.</summary>
/// <param name="context">What the receiver is for.</param>
internal sealed class ReceiverState(ReceiverContext context)
{
    // The error of each topic that cannot be read; the empty text stands for the group as a whole.
    private readonly Dictionary<string, string> failures = new(StringComparer.Ordinal);
    private volatile bool hasFailures;
    private long nameless;
    private long lostRanges;
    private volatile string? lastLost;

    /// <summary>The errors and log lines of the client.</summary>
    public KafkaClientEvents Events { get; } = new($"consumer of {context.Name}", context.Log);

    /// <summary>The number of records without an event name that were skipped in topics that no one named.</summary>
    public long Nameless => Interlocked.Read(ref nameless);

    /// <summary>The number of times that records were gone before they were read.</summary>
    public long LostRanges => Interlocked.Read(ref lostRanges);

    /// <summary>The reports about records that were gone before they were read.</summary>
    public LostRanges Lost { get; } = new(context.Name);

    /// <summary>The warning for operators, as a sentence; null for none.</summary>
    public string? Warning
    {
        get
        {
            lock (failures)
            {
                foreach (var (topic, cause) in failures)
                {
                    return topic.Length > 0 ? $"The topic '{topic}' cannot be read: {cause}" : $"The client reports: {cause}";
                }
            }

            return lastLost is { } lost ? $"Events were lost to the subscription '{context.Name}': {lost}." : null;
        }
    }

    /// <summary>Records that a topic is read.</summary>
    public void Worked(string topic)
    {
        Events.Succeeded();
        if (!hasFailures)
        {
            return;
        }

        lock (failures)
        {
            failures.Remove("");
            var hasFailed = failures.Remove(topic);
            hasFailures = failures.Count > 0;
            if (!hasFailed)
            {
                return;
            }
        }

        context.Log.Working(ActivityOf(topic));
    }

    /// <summary>Records an error of the client, which continues by itself.</summary>
    public void Failed(string? topic, ConsumeException exception)
    {
        var cause = KafkaErrors.CauseOf(exception.Error);
        var name = topic ?? "";
        lock (failures)
        {
            failures[name] = cause;
            hasFailures = true;
        }

        context.Log.Failing(ActivityOf(name), exception, log => log.ReadingFailed(context.Name, cause, exception));
    }

    /// <summary>Counts a record without an event name.</summary>
    public void CountNameless() => Interlocked.Increment(ref nameless);

    /// <summary>Records that records of a topic were gone before they were read.</summary>
    /// <param name="id">The id of the report, which is the same for the same loss.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="what">What is gone, as a sentence without its full stop.</param>
    public void Report(string id, string topic, string what)
    {
        Interlocked.Increment(ref lostRanges);
        lastLost = what;
        Lost.Add(id, context.Names.UnreadableNameOf(topic), what);
    }

    private string ActivityOf(string topic) => $"reading {topic} for {context.Name}";
}
