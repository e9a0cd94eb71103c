using System.Threading.Channels;

namespace Checkout.Demo;

/// <summary>Takes the pages, so that the demo can wait for them and show them.</summary>
internal sealed class DemoPager(TimeProvider time) : IPager
{
    private readonly Channel<Page> pages = Channel.CreateBounded<Page>(100);
    private int count;

    /// <summary>How many pages were sent.</summary>
    public int Count => Volatile.Read(ref count);

    public async Task PageAsync(string message, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref count);
        await pages.Writer.WriteAsync(new Page(message, time.GetTimestamp()), cancellationToken);
    }

    /// <summary>Waits for the next page.</summary>
    /// <exception cref="TimeoutException">Nobody was paged in time.</exception>
    public async Task<Page> NextAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            return await pages.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(timeout, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"nobody was paged within {timeout.TotalSeconds} s.");
        }
    }
}

/// <summary>One page, and when it came.</summary>
internal sealed record Page(string Message, long At);
