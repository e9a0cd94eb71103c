using EventBus.Transports;

namespace EventBus;

/// <summary>How one subscription fails: its name, its order and its retries. Immutable.</summary>
internal sealed record FailurePolicy(string Subscription, bool Ordered, RetryPolicy Retry)
{
    /// <summary>The line in which a failed event holds back others; null outside ordered subscriptions. Events without a key share one line.</summary>
    public string? LineKey(Envelope envelope) => Ordered ? envelope.KeyText ?? "" : null;
}
