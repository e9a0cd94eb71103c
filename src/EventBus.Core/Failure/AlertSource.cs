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

/// <summary>The alerts of dead letters.</summary>
internal sealed class DeadLetterAlerts(FailureStore store) : AlertSource
{
    public override string Name => "dead letters";

    public override TimeSpan PollInterval => store.PollInterval;

    public override ValueTask<DueBatch<PendingAlert>> ClaimAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) => store.ClaimAlertsAsync(now, lease, max, cancellationToken);

    public override ValueTask ToldAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) => store.AlertedAsync(sent, cancellationToken);

    /// <summary>What people have dealt with by now needs no alert, and what has died again since has one of its own. Names that may be content stay with the dead letter.</summary>
    public override async ValueTask<DeadLetter?> FindAsync(PendingAlert alert, CancellationToken cancellationToken) =>
        await store.FindDeadAsync(alert.Id, cancellationToken) is { } entry && entry.Number == alert.Number ? DeadLetters.Show(entry with { Error = Rejection.WithoutForeign(entry.Error) }) : null;
}
