namespace EventBus;

/// <summary>Which dead letters are meant.</summary>
public sealed record DeadLetterFilter
{
    /// <summary>Only this subscription. Default all.</summary>
    public string? Subscription { get; init; }

    /// <summary>Only this event name. Default all.</summary>
    public string? EventName { get; init; }

    /// <summary>Only this event id. Default all.</summary>
    public string? EventId { get; init; }

    /// <summary>Only this reason. Default all.</summary>
    public DeadLetterReason? Reason { get; init; }

    /// <summary>Only those that died before the dead letter with this <see cref="DeadLetter.Number"/>: the last of the page before. Default the latest.</summary>
    public long? Before { get; init; }

    /// <summary>How many to list, 1 to 1,000. Default 100.</summary>
    public int Take { get; init; } = 100;
}
