using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Limits what is recorded of failed events: the number that waits for each key, and how much of the bodies that cannot
/// be read. Such bodies come from outside, in any size and number. Thread-safe.
/// </summary>
internal sealed class RecordLimits(RetryStore store, EventBusOptions options, TimeProvider time)
{
    /// <summary>The number of bytes that are stored of a body that is not stored completely.</summary>
    public const int Beginning = 64 * 1024;

    // The time after which the size is read from the store again, to include the bodies that other instances have
    // added.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, (long Bytes, DateTimeOffset At)> measured = new(StringComparer.Ordinal);

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
        if (dead.Claim != 0 || length <= Beginning || !(IsTooLarge(length)
            || dead.Reason is DeadLetterReason.Unreadable or DeadLetterReason.TooLarge or DeadLetterReason.UnknownEvent)
            || (length <= options.MaxUnreadBodyBytes && await HasRoomAsync(dead.Subscription, length, cancellationToken)))
        {
            return dead;
        }

        var note = $"The body was cut: the first {Beginning:N0} of {length:N0} bytes are kept.";
        return dead with
        {
            Envelope = dead.Envelope.CutBody(Beginning, note),
            Error = $"{PrintableText.Start(dead.Error ?? "", FailureClassifier.MaxErrorLength - note.Length - 1)} {note}".TrimStart(),
        };
    }

    private async ValueTask<bool> HasRoomAsync(string subscription, int length, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        bool isKnown;
        lock (gate)
        {
            isKnown = measured.TryGetValue(subscription, out var known) && now - known.At < Fresh;
        }

        var bytes = !isKnown && store is KeyedFailureStore keyed
            ? await keyed.DeadLetters.MeasureUnreadableAsync(subscription, Beginning, cancellationToken)
            : 0;
        lock (gate)
        {
            var (sum, at) = isKnown ? measured[subscription] : (bytes, now);
            var fits = sum + length <= options.MaxUnreadBytes;
            measured[subscription] = (fits ? sum + length : sum, at);
            return fits;
        }
    }
}
