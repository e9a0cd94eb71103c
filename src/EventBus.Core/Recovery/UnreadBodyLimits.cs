using EventBus.Stores;

namespace EventBus;

/// <summary>Bounds what dead letters keep of bodies that cannot be read: others send them, of any size and number. Thread-safe.</summary>
internal sealed class UnreadBodyLimits(FailureStore store, EventBusOptions options, TimeProvider time)
{
    /// <summary>What is kept of a body that is not kept whole.</summary>
    public const int Beginning = 64 * 1024;

    // What others add meanwhile is seen when the store is asked again.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, (long Bytes, DateTimeOffset At)> measured = new(StringComparer.Ordinal);

    /// <summary>Such a body is never read. It is rejected when it comes instead of waiting for its turn.</summary>
    public bool IsTooLarge(int length) => length > options.MaxBodyBytes;

    /// <summary>A dead letter with its body, or with the beginning of it where it is not to be kept whole.</summary>
    public async ValueTask<FailedEvent> FitAsync(FailedEvent dead, CancellationToken cancellationToken)
    {
        var length = dead.Envelope.BodyLength;
        if (dead.Claim != 0 || length <= Beginning || !(IsTooLarge(length) || dead.Reason is DeadLetterReason.Unreadable or DeadLetterReason.TooLarge or DeadLetterReason.UnknownEvent)
            || (length <= options.MaxUnreadBodyBytes && await HasRoomAsync(dead.Subscription, length, cancellationToken)))
        {
            return dead;
        }

        var note = $"The body was cut: the first {Beginning:N0} of {length:N0} bytes are kept.";
        return dead with
        {
            Envelope = dead.Envelope.CutBody(Beginning, note),
            Error = $"{PrintableText.Start(dead.Error ?? "", FailureRecorder.MaxErrorLength - note.Length - 1)} {note}".TrimStart(),
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

        var bytes = isKnown ? 0 : await store.MeasureUnreadAsync(subscription, Beginning, cancellationToken);
        lock (gate)
        {
            var (sum, at) = isKnown ? measured[subscription] : (bytes, now);
            var fits = sum + length <= options.MaxUnreadBytes;
            measured[subscription] = (fits ? sum + length : sum, at);
            return fits;
        }
    }
}
