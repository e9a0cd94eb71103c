using System.Diagnostics.CodeAnalysis;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Represents the right of this instance to work on something until a certain time, unless it is renewed. Thread-safe.
/// </summary>
/// <param name="leaseEnd">The end of the lease, unless it is renewed.</param>
[SuppressMessage("Design", "CA1001", Justification = "The callbacks of the token may be running when the lease is released.")]
internal abstract class Lease(DateTimeOffset leaseEnd)
{
    private readonly CancellationTokenSource lost = new();
    private long endTicks = leaseEnd.UtcTicks;

    /// <summary>The time from which other instances may take over.</summary>
    public DateTimeOffset LeaseEnd
    {
        get => new(Volatile.Read(ref endTicks), TimeSpan.Zero);
        set => Volatile.Write(ref endTicks, value.UtcTicks);
    }

    /// <summary>Cancelled when another instance may have taken over.</summary>
    public CancellationToken Lost => lost.Token;

    /// <summary>The most recent renewal; never faults. Set by <see cref="LeaseRenewer{TLease}"/> only.</summary>
    public Task Renewing { get; set; } = Task.CompletedTask;

    /// <summary>Cancels the work under the lease, because another instance may have taken over.</summary>
    public void Lose() => lost.CancelAsync().Observed();
}
