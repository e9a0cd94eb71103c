using System.Threading.Channels;

namespace Checkout.Demo;

/// <summary>Records the pages, so that the demo can wait for them and show them.</summary>
internal sealed class DemoPager(TimeProvider time) : IPager
{
    private readonly Channel<Page> pages = Channel.CreateBounded<Page>(100);
    private int count;

    /// <summary>The number of pages that were sent.</summary>
    public int Count => Volatile.Read(ref count);

    public async Task PageAsync(string message, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref count);
        await pages.Writer.WriteAsync(new Page(message, time.GetTimestamp()), cancellationToken);
    }

    /// <summary>Waits for the next page.</summary>
    /// <exception cref="TimeoutException">No page was sent in time.</exception>
    public async Task<Page> NextAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            return await pages.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(timeout, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"no page was sent within {timeout.TotalSeconds} s.");
        }
    }
}

/// <summary>One page, and the time at which it was sent.</summary>
internal sealed record Page(string Message, long At);
