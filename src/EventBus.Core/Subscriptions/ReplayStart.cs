using System.Globalization;

namespace EventBus;

/// <summary>
/// Says where the replay of a subscription begins (<see cref="ISubscriptionManager.ReplayAsync"/>). Immutable.
/// </summary>
public sealed class ReplayStart
{
    private ReplayStart()
    {
    }

    /// <summary>Begins with the oldest events that the backend still has.</summary>
    public static ReplayStart FromBeginning { get; } = new();

    /// <summary>
    /// The time at which the replay begins; null if it begins with the oldest events, or at an offset.
    /// </summary>
    public DateTimeOffset? Time { get; private init; }

    /// <summary>The topic of <see cref="Offset"/>; null if the replay does not begin at an offset.</summary>
    public string? Topic { get; private init; }

    /// <summary>The number of the partition of <see cref="Topic"/>, 0 or more. Default 0.</summary>
    public int Partition { get; private init; }

    /// <summary>The offset of the first event in <see cref="Partition"/>, 0 or more. Default 0.</summary>
    public long Offset { get; private init; }

    /// <summary>Begins with the first event that the backend received at a time or later.</summary>
    /// <param name="time">The time, by the clock that the backend compares with.</param>
    public static ReplayStart FromTime(DateTimeOffset time) => new() { Time = time };

    /// <summary>Begins at an offset of one partition. Other partitions are not replayed.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="partition">The number of the partition, 0 or more.</param>
    /// <param name="offset">The offset of the first event, 0 or more.</param>
    public static ReplayStart FromOffset(string topic, int partition, long offset)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(topic);
        ArgumentOutOfRangeException.ThrowIfNegative(partition);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return new() { Topic = topic, Partition = partition, Offset = offset };
    }

    /// <summary>Describes the place for logs.</summary>
    public override string ToString() => Time is { } time
        ? string.Create(CultureInfo.InvariantCulture, $"{time:O}")
        : Topic is null
            ? "the oldest events"
            : string.Create(CultureInfo.InvariantCulture, $"offset {Offset} of {Topic} [{Partition}]");
}
