using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>
/// Runs the redelivered events of one subscription one at a time. The coordinator of the bus decides which
/// subscriptions may do so at the same time.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class RedeliveryLock(RedeliveryCoordinator coordinator)
{
    private readonly SemaphoreSlim free = new(1);

    public RedeliveryCoordinator Coordinator => coordinator;

    public async Task<Turn> EnterAsync(CancellationToken cancellationToken)
    {
        await free.WaitAsync(cancellationToken);
        return new Turn(free);
    }

    /// <summary>The turn of one event. Disposing it ends the turn.</summary>
    public sealed class Turn(SemaphoreSlim free) : IDisposable
    {
        public void Dispose() => free.Release();
    }
}
