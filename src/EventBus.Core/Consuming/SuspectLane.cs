using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>Lets one event at a time through, of those that were started before and never settled: the one that ends the process again then takes no other with it.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class SuspectLane
{
    private readonly SemaphoreSlim free = new(1);

    public async Task<Turn> EnterAsync(CancellationToken cancellationToken)
    {
        await free.WaitAsync(cancellationToken);
        return new Turn(free);
    }

    /// <summary>The turn of one event; ends when it is disposed.</summary>
    public readonly struct Turn(SemaphoreSlim? lane) : IDisposable
    {
        public void Dispose() => lane?.Release();
    }
}
