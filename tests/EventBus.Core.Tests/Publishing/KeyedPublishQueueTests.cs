using EventBus.Transports;

namespace EventBus;

/// <summary>Tests the queue of one key with very many calls.</summary>
public sealed class KeyedPublishQueueTests
{
    private const int Many = 100_000;

    private readonly KeyedPublishQueue lines = new();

    /// <summary>
    /// All keys share one lock: a step that iterates over the calls of a key would delay every publisher of the
    /// process. With such a step this test takes minutes.
    /// </summary>
    [Theory, InlineData(false), InlineData(true)]
    public void Queue_ManyCallsAtOnce_EachTakeConstantTime(bool latestFirst)
    {
        var calls = EnterAll();
        var before = GC.GetAllocatedBytesForCurrentThread();

        foreach (var call in latestFirst ? calls.Reverse() : calls)
        {
            call.MarkSent();
            call.Leave(possiblyAccepted: true);
        }

        // No allocation for each call.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10 * Many);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Queue_ManyCallsFail_AreRepeatedOneByOneInTheirOrder(bool latestFirst)
    {
        Envelope[] batch = [Event()];
        var calls = EnterAll();
        foreach (var call in latestFirst ? calls.Reverse() : calls)
        {
            Assert.Single(call.Conclude(batch, [PublishOutcome.Failed(new InvalidOperationException("Away."))]));
        }

        var fresh = lines.Enter(batch)!;
        var turn = fresh.EnterAsync(CancellationToken.None);
        foreach (var call in calls)
        {
            Assert.False(turn.IsCompleted);
            Assert.True(await call.EnterAsync(CancellationToken.None));
            call.Leave(possiblyAccepted: true);
        }

        Assert.True(await turn);
    }

    /// <summary>Waiting calls are sent one after the other, and none waits for an answer.</summary>
    [Fact]
    public async Task Queue_ManyCallsWait_AreSentInTheirOrder()
    {
        Envelope[] batch = [Event()];
        var first = lines.Enter(batch)!;
        first.Conclude(batch, [PublishOutcome.Failed(new InvalidOperationException("Away."))]);
        var calls = EnterAll();
        var turns = calls.Select(call => call.EnterAsync(CancellationToken.None)).ToArray();

        first.Leave(possiblyAccepted: true);
        for (var i = 0; i < Many; i++)
        {
            Assert.True(await turns[i]);
            Assert.False(i + 1 < Many && turns[i + 1].IsCompleted);
            calls[i].MarkSent();
        }
    }

    private static Envelope Event() => new(new EnvelopeAttributes { Id = "1", Name = "order.placed", Key = "hot" }, "{}"u8.ToArray());

    private PublishCall[] EnterAll()
    {
        Envelope[] batch = [Event()];
        return [.. Enumerable.Range(0, Many).Select(_ => lines.Enter(batch)!)];
    }
}
