namespace EventBus;

/// <summary>Selects dead letters. All conditions that are set must match.</summary>
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

    /// <summary>
    /// Only dead letters older than the one with this <see cref="DeadLetter.Number"/>, which is the last one of the
    /// previous page. Default: start with the newest.
    /// </summary>
    public long? Before { get; init; }

    /// <summary>The maximum number of dead letters to list. Default 100; 1 to 1,000.</summary>
    public int Take { get; init; } = 100;
}
