using System.Threading.Channels;

namespace EventBus;

/// <summary>
/// Wakes a loop that waits for work. A pulse while the loop is busy is kept, and several of them count as one: the loop
/// then runs once more. Thread-safe.
/// </summary>
internal sealed class WakeSignal
{
    private readonly Channel<bool> pulses =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly TaskCompletionSource firstPulse = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the first pulse.</summary>
    public Task FirstPulse => firstPulse.Task;

    /// <summary>Wakes the loop, because something may have become due.</summary>
    public void Pulse()
    {
        firstPulse.TrySetResult();
        pulses.Writer.TryWrite(true);
    }

    /// <summary>Waits for the next pulse.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken) => await pulses.Reader.ReadAsync(cancellationToken);
}
