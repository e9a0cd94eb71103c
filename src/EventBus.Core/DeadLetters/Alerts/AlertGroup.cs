using EventBus.Stores;

namespace EventBus;

/// <summary>The alerts of one subscription and event name that one notifier still has to send.</summary>
internal sealed class AlertGroup
{
    public List<PendingAlert> Waiting { get; init; } = [];

    /// <summary>
    /// The earliest time of the next alert, on the monotonic clock: changes of the system clock have no effect.
    /// </summary>
    public TimeSpan NotBefore { get; set; }

    /// <summary>The number of failed attempts to send these alerts.</summary>
    public int Failures { get; init; }
}
