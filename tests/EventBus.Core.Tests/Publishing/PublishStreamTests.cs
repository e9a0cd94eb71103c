using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace EventBus;

/// <summary>Shows that a stream of events is published in its order, with bounded memory.</summary>
public sealed class PublishStreamTests
{
    private readonly List<string> seen = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PublishMany_OfAStream_PublishesAllInOrder()
    {
        const int Count = 2_000;
        await using var running = await StartAsync();

        await running.Bus.PublishManyAsync(Events(Count), cancellationToken: Token);
        await running.WhenIdleAsync();

        Assert.Equal(Enumerable.Range(0, Count).Select(i => $"{i}"), seen);
    }

    [Fact]
    public async Task PublishMany_StreamIsSlow_DoesNotWaitForAFullBatch()
    {
        await using var running = await StartAsync();
        var source = Channel.CreateUnbounded<OrderPlaced>();
        var publishing = running.Bus.PublishManyAsync(source.Reader.ReadAllAsync(Token), cancellationToken: Token);

        await source.Writer.WriteAsync(new OrderPlaced("first"), Token);
        await Until.TrueAsync("the first event is handled", () => seen.Count == 1, Token);

        source.Writer.Complete();
        await publishing;
    }

    [Fact]
    public async Task PublishMany_EventOfAStreamIsRejected_StopsReadingAndReportsEach()
    {
        await using var running = await StartAsync();
        var read = 0;

        var error = await Assert.ThrowsAsync<PublishManyException>(() => running.Bus.PublishManyAsync(Endless(), cancellationToken: Token));

        Assert.Null(error.Items[0]);
        Assert.Equal(PublishFailure.Rejected, error.Items[600]!.Failure);
        Assert.All(error.Items.Take(600), Assert.Null);
        Assert.InRange(read, 601, 601 + (3 * 512));
        Assert.Equal(read, error.Items.Count);

        async IAsyncEnumerable<OrderPlaced> Endless()
        {
            await Task.CompletedTask;
            while (true)
            {
                yield return new OrderPlaced(read++ == 600 ? new string('x', 300_000) : "1");
            }
        }
    }

    [Fact]
    public async Task PublishMany_StreamThrows_PublishesTheEventsBeforeAndThrowsTheSame()
    {
        await using var running = await StartAsync();

        var error = await Assert.ThrowsAsync<InvalidDataException>(() => running.Bus.PublishManyAsync(Broken(), cancellationToken: Token));
        await running.WhenIdleAsync();

        Assert.Equal("broken", error.Message);
        Assert.Equal(["1"], seen);

        static async IAsyncEnumerable<OrderPlaced> Broken()
        {
            await Task.CompletedTask;
            yield return new OrderPlaced("1");
            throw new InvalidDataException("broken");
        }
    }

    [Fact]
    public async Task PublishMany_CallerCancels_DisposesTheStream()
    {
        await using var running = await StartAsync();
        using var caller = new CancellationTokenSource();
        var disposed = false;
        var publishing = running.Bus.PublishManyAsync(Waiting(caller.Token), cancellationToken: caller.Token);

        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publishing);

        Assert.True(disposed);

        async IAsyncEnumerable<OrderPlaced> Waiting([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            try
            {
                yield return new OrderPlaced("1");
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            }
            finally
            {
                disposed = true;
            }
        }
    }

    private static async IAsyncEnumerable<OrderPlaced> Events(int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (i % 100 == 0)
            {
                await Task.Yield();
            }

            yield return new OrderPlaced($"{i}");
        }
    }

    private Task<RunningBus> StartAsync() => RunningBus.StartAsync(
        bus => bus.UseInMemory().Subscribe("orders", orders => orders.Ordered().Concurrency(1).On<OrderPlaced>((e, _, _) =>
        {
            seen.Add(e.OrderId);
            return Task.CompletedTask;
        })));
}
