namespace EventBus;

/// <summary>Creates the deadline tokens of one subscription. When the bus aborts, all are cancelled.</summary>
internal sealed class HandlerDeadlines(TimeSpan timeout, BusServices services)
{
    // The maximum delay of a cancellation after its deadline.
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(5);

    private readonly DeadlineTokens tokens =
        new(services.StoreTime, timeout, MaxDelay, services.StoreTime.TimestampFrequency, services.Abort);

    public TimeSpan Timeout => timeout;

    /// <summary>Gets the token of a handler that begins at a time.</summary>
    /// <param name="now">The current time, as a timestamp of the clock of the bus.</param>
    public CancellationToken From(long now) => tokens.Token(now);

    /// <summary>Gets the token of a wait that begins now.</summary>
    public CancellationToken FromNow() => tokens.Token(services.StoreTime.GetTimestamp());

    /// <summary>Creates the failure of a handler that did not end in time.</summary>
    public TimeoutException Exceeded(Exception inner) => new(
        $"The handler did not end within its timeout of {timeout}. "
        + $"Raise {nameof(EventBusOptions)}.{nameof(EventBusOptions.HandlerTimeout)} or that of the subscription if it needs longer.",
        inner);
}
