using EventBus.Stores;

namespace EventBus;

/// <summary>Where an alert loop finds what people must be told of, and marks what they were told.</summary>
internal abstract class AlertSource
{
    /// <summary>What the alerts are about, as logs name it.</summary>
    public abstract string Name { get; }

    /// <summary>How often to look for what other instances recorded; infinite where there are no others.</summary>
    public abstract TimeSpan PollInterval { get; }

    /// <summary>Takes alerts that are to be sent, the oldest first, for the length of the lease.</summary>
    public abstract ValueTask<DueBatch<PendingAlert>> ClaimAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>Marks alerts as sent.</summary>
    public abstract ValueTask ToldAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken);

    /// <summary>What people are to be told; null when they need not be any more.</summary>
    public abstract ValueTask<DeadLetter?> FindAsync(PendingAlert alert, CancellationToken cancellationToken);
}
