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

    public async Task<Page> NextAsync(CancellationToken cancellationToken) => await pages.Reader.ReadAsync(cancellationToken);
}

/// <summary>One page, and when it came.</summary>
internal sealed record Page(string Message, long At);
