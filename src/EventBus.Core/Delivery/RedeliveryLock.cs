using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>Runs the suspects of one subscription one at a time, beside those of others as far as the bus's gate allows.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class RedeliveryLock(RedeliveryCoordinator gate)
{
    private readonly SemaphoreSlim free = new(1);

    public RedeliveryCoordinator Gate => gate;

    public async Task<Turn> EnterAsync(CancellationToken cancellationToken)
    {
        await free.WaitAsync(cancellationToken);
        return new Turn(free);
    }

    /// <summary>The turn of one event; ends when it is disposed.</summary>
    public sealed class Turn(SemaphoreSlim lane) : IDisposable
    {
        public void Dispose() => lane.Release();
    }
}
