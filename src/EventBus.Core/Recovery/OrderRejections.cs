namespace EventBus;

/// <summary>Creates the rejections of events that cannot wait for their turn, with advice for operators.</summary>
internal static class OrderRejections
{
    /// <summary>Rejects an event that cannot be parked, because too many events of its key are parked.</summary>
    public static Rejection LineIsFull(int limit, string? key) => new(
        DeadLetterReason.KeyBlocked,
        $"{limit:N0} events of the key '{key}' already wait behind a failed one. Retry or discard the first dead letter of this key, then "
            + "retry these.");

    /// <summary>Rejects an event that cannot be deferred, because too many events of its key are deferred.</summary>
    public static Rejection TooManyAreDeferred(int limit, string? key) => new(
        DeadLetterReason.KeyBlocked,
        $"{limit:N0} events of the key '{key}' already wait for an earlier one. Find out why it does not arrive, then retry these.");

    /// <summary>Rejects a deferred event, because the event that it waited for did not arrive in time.</summary>
    public static Rejection EarlierEventIsMissing(TimeSpan timeout, string? key) => new(
        DeadLetterReason.OutOfOrder,
        $"An order guard deferred the event for {timeout}, to wait for an earlier event of the key '{key}', which did not arrive. Retry "
            + "the dead letter to handle it without that event.");
}
