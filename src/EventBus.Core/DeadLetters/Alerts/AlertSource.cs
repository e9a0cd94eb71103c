using EventBus.Stores;

namespace EventBus;

/// <summary>Provides the pending alerts of a store, and marks alerts as sent.</summary>
internal abstract class AlertSource
{
    /// <summary>The subject of the alerts, as logs name it.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// The interval of polling for alerts that other instances recorded; infinite if there are no other instances.
    /// </summary>
    public abstract TimeSpan PollInterval { get; }

    /// <summary>Claims pending alerts for the duration of the lease, the oldest first.</summary>
    public abstract ValueTask<DueBatch<PendingAlert>> ClaimAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken);

    /// <summary>Marks alerts as sent.</summary>
    public abstract ValueTask MarkSentAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken);

    /// <summary>Gets the dead letter to report; null if it no longer needs an alert.</summary>
    public abstract ValueTask<DeadLetter?> FindAsync(PendingAlert alert, CancellationToken cancellationToken);

    /// <summary>Writes the call that shows an operator the subject of an alert (<see cref="FindCalls"/>).</summary>
    public abstract string FindCall(string id, string subscription);

    /// <summary>Gets the template of the links of the alerts (<see cref="AlertLink"/>); null for none.</summary>
    public abstract string? LinkTemplate(AlertSettings settings);
}
