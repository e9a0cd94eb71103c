using EventBus.Transports;

namespace EventBus;

public sealed class DeliveryQueueTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void TryEnqueue_Full_RefusesPublishersButReservesCapacityForHandlers()
    {
        var queue = new DeliveryQueue(capacity: 2, reserve: 1);

        Assert.Equal(
            [EnqueueResult.Done, EnqueueResult.Done, EnqueueResult.Full],
            Enumerable.Range(0, 3).Select(i => queue.TryEnqueue(Event(i))));
        Assert.Equal(
            [EnqueueResult.Done, EnqueueResult.Full],
            Enumerable.Range(3, 2).Select(i => queue.TryEnqueue(Event(i, fromHandler: true))));
        Assert.Equal(3, queue.Count);
    }

    [Fact]
    public async Task Wait_CapacityBecomesFree_EnqueuesInTheOrderOfTheCalls()
    {
        var queue = new DeliveryQueue(capacity: 1, reserve: 0);
        queue.TryEnqueue(Event(0));
        var waiters = Enumerable.Range(1, 3).Select(i => queue.Wait(Event(i))).ToList();

        Assert.Equal(EnqueueResult.Full, queue.TryEnqueue(Event(9)));
        Assert.Equal(["0", "1", "2", "3"], Enumerable.Range(0, 4).Select(_ => Read(queue)));
        foreach (var waiter in waiters)
        {
            Assert.True(await waiter.EnqueuedAsync(Token).WaitAsync(Patience, Token));
        }
    }

    [Fact]
    public async Task Wait_DeadlinePasses_IsCertainlyNotInTheQueue()
    {
        var queue = new DeliveryQueue(capacity: 1, reserve: 0);
        queue.TryEnqueue(Event(0));
        using var deadline = new CancellationTokenSource();
        var waiting = queue.Wait(Event(1)).EnqueuedAsync(deadline.Token);

        await deadline.CancelAsync();

        Assert.False(await waiting.WaitAsync(Patience, Token));
        Assert.Equal("0", Read(queue));
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public async Task Release_SeveralOutOfOrder_ComeBackFirstAndInOrder()
    {
        var queue = new DeliveryQueue(capacity: 10, reserve: 0);
        for (var i = 0; i < 4; i++)
        {
            queue.TryEnqueue(Event(i));
        }

        var taken = Enumerable.Range(0, 3).Select(_ => queue.TryRead(out var delivery) ? delivery : default).ToList();
        foreach (var delivery in Enumerable.Reverse(taken))
        {
            await delivery.ReleaseAsync();
        }

        Assert.Equal(["0", "1", "2", "3"], Enumerable.Range(0, 4).Select(_ => Read(queue)));
        Assert.Equal((4L, 0L), queue.Work);
    }

    [Fact]
    public async Task WaitToRead_EventOrStop_EndsTheWait()
    {
        var queue = new DeliveryQueue(capacity: 10, reserve: 0);
        var forEvent = queue.WaitToReadAsync(Token).AsTask();
        Assert.False(forEvent.IsCompleted);
        queue.TryEnqueue(Event(0));
        Assert.True(await forEvent.WaitAsync(Patience, Token));
        Read(queue);

        var forStop = queue.WaitToReadAsync(Token).AsTask();
        queue.Stop();

        Assert.False(await forStop.WaitAsync(Patience, Token));
        Assert.Equal(EnqueueResult.Stopped, queue.TryEnqueue(Event(1)));
    }

    [Fact]
    public async Task WaitToRead_Cancelled_CanBeWaitedForAgain()
    {
        var queue = new DeliveryQueue(capacity: 10, reserve: 0);
        using var cancel = new CancellationTokenSource();
        var waiting = queue.WaitToReadAsync(cancel.Token).AsTask();

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Patience, Token));
        var again = queue.WaitToReadAsync(Token).AsTask();
        queue.TryEnqueue(Event(0));

        Assert.True(await again.WaitAsync(Patience, Token));
    }

    [Fact]
    public async Task Queue_ManyWritersOneReader_LosesAndRepeatsNothing()
    {
        const int Writers = 4;
        const int Each = 5_000;
        var queue = new DeliveryQueue(capacity: 16, reserve: 0);
        var seen = new HashSet<string>();
        var reading = ReadAllAsync();

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(writer), Token)));
        await reading.WaitAsync(Patience, Token);

        Assert.Equal(Writers * Each, seen.Count);

        async Task WriteAsync(int writer)
        {
            for (var i = 0; i < Each; i++)
            {
                var envelope = Event((writer * Each) + i);
                if (queue.TryEnqueue(envelope) == EnqueueResult.Full)
                {
                    Assert.True(await queue.Wait(envelope).EnqueuedAsync(Token));
                }
            }
        }

        async Task ReadAllAsync()
        {
            while (seen.Count < Writers * Each && await queue.WaitToReadAsync(Token))
            {
                while (queue.TryRead(out var delivery))
                {
                    Assert.True(seen.Add(delivery.Envelope.Id), "an event was delivered twice");
                }
            }
        }
    }

    private static string Read(DeliveryQueue queue) => queue.TryRead(out var delivery) ? delivery.Envelope.Id : "nothing";

    private static Envelope Event(int id, bool fromHandler = false) =>
        new(new EnvelopeAttributes { Id = id.ToString(null as IFormatProvider), Name = "order.placed" }, []) { FromHandler = fromHandler };
}
