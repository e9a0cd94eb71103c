using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Lets the start of a transport wait until its subscriptions have partitions, so that the work is shared before it
/// begins. Nothing is missed without it: the positions of the groups are set. The subscriptions open one after another
/// and share one limit, because the brokers let the first member of a group wait for others. Not thread-safe.
/// </summary>
internal sealed class JoinWait(TimeProvider time)
{
    private TimeSpan left = TimeSpan.FromSeconds(5);

    /// <summary>Waits, until the limit of the transport is used up.</summary>
    /// <param name="joined">Completes when a subscription has a partition. One without partitions stands by.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task WaitAsync(Task joined, CancellationToken cancellationToken)
    {
        if (left > TimeSpan.Zero)
        {
            var begun = time.GetTimestamp();
            await joined.WaitAsync(left, time, cancellationToken).Quietly();
            left -= time.GetElapsedTime(begun);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
