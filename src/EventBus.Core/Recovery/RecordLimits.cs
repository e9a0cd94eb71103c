using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Limits what is recorded of failed events: the number of events that wait for each key, and how much is stored of
/// bodies that cannot be read. Such bodies come from other programs, in any size and number. Thread-safe.
/// </summary>
internal sealed class RecordLimits(RetryStore store, EventBusOptions options, TimeProvider time)
{
    /// <summary>The number of bytes that are stored of a body that is not stored completely.</summary>
    public const int TruncatedBytes = 64 * 1024;

    // A total that was read from the store is used for this time. Then it is read again, to include the bodies that
    // other instances have added.
    private static readonly TimeSpan TotalLifetime = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();

    // The total size of the unread bodies of each subscription: as read from the store, plus those allowed since.
    private readonly Dictionary<string, (long Bytes, DateTimeOffset ReadAt)> totals = new(StringComparer.Ordinal);

    /// <summary>The maximum number of events of one key that wait in the store.</summary>
    public int MaxWaitingPerKey => options.MaxParkedPerKey;

    /// <summary>
    /// True if a body is never read because of its size. Such an event is rejected on arrival instead of waiting for
    /// its turn.
    /// </summary>
    public bool IsTooLarge(int length) => length > options.MaxBodyBytes;

    /// <summary>
    /// Returns the dead letter with its body, or with only the beginning of a body that must not be stored completely.
    /// </summary>
    public async ValueTask<FailedEvent> FitAsync(FailedEvent dead, CancellationToken cancellationToken)
    {
        var length = dead.Envelope.BodyLength;
        var isUnread = IsTooLarge(length)
            || dead.Reason is DeadLetterReason.Unreadable or DeadLetterReason.TooLarge or DeadLetterReason.UnknownEvent;

        // The body of a claimed entry is in the store already.
        var mayBeTruncated = isUnread && dead.Claim == 0 && length > TruncatedBytes;
        if (!mayBeTruncated
            || (length <= options.MaxUnreadBodyBytes && await HasRoomAsync(dead.Subscription, length, cancellationToken)))
        {
            return dead;
        }

        var note = $"The body was truncated: the first {TruncatedBytes:N0} of {length:N0} bytes are kept.";
        return dead with
        {
            Envelope = TruncatedEnvelope.Of(dead.Envelope, TruncatedBytes, note),
            Error = $"{PrintableText.Start(dead.Error ?? "", FailureClassifier.MaxErrorLength - note.Length - 1)} {note}".TrimStart(),
        };
    }

    /// <summary>
    /// Returns true if a body fits in the total of its subscription, and then adds it. A queue of a broker cannot
    /// determine the total, which then contains only the bodies since it was last set to 0.
    /// </summary>
    private async ValueTask<bool> HasRoomAsync(string subscription, int length, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        bool isCurrent;
        lock (gate)
        {
            isCurrent = totals.TryGetValue(subscription, out var earlier) && now - earlier.ReadAt < TotalLifetime;
        }

        long bytesInStore = 0;
        if (!isCurrent && store is KeyedFailureStore keyed)
        {
            bytesInStore = await keyed.DeadLetters.MeasureUnreadableAsync(subscription, TruncatedBytes, cancellationToken);
        }

        lock (gate)
        {
            var total = isCurrent ? totals[subscription] : (Bytes: bytesInStore, ReadAt: now);
            var fits = total.Bytes + length <= options.MaxUnreadBytes;
            if (fits)
            {
                total.Bytes += length;
            }

            totals[subscription] = total;
            return fits;
        }
    }
}
