using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed class RetryLeaseRenewerTests : IAsyncDisposable
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(30);

    private readonly ObservedTime time = new();
    private readonly LogMemory log = new();
    private readonly FaultyStore store = new();
    private readonly List<string> renewed = [];
    private readonly CancellationTokenSource stop = new();
    private readonly RetryLeaseRenewer renewer;
    private readonly Task running;

    public RetryLeaseRenewerTests()
    {
        store.Before = (step, id) => renewed.AddRange(step == "renew" ? [id] : []);
        renewer = new RetryLeaseRenewer(store, Duration, TestServices.Create(time, new PrintableLogger(log, time)));
        running = RunAsync();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(RunningBus.Patience, Token));
        stop.Dispose();
    }

    [Fact]
    public async Task Claims_WhileTheirHandlersRun_AreRenewedTogetherAtEachThirdOfTheLease()
    {
        var claims = await HoldAsync("mail", "a", "b");

        await time.PassAsync(Duration / 3);
        await time.PassAsync(Duration / 3);
        Array.ForEach(claims, claim => claim.Dispose());
        await time.PassAsync(Duration / 3);

        Assert.Equal(["mail~a", "mail~a", "mail~b", "mail~b"], renewed.Order(StringComparer.Ordinal));
        Assert.All(claims, claim => Assert.Equal(time.GetUtcNow() + (Duration * 2 / 3), claim.LeaseEnd));
        Assert.Empty(log.Entries);
    }

    [Fact]
    public async Task Claim_ThatTheStoreCannotRenew_CostsTheOthersNothing()
    {
        var claims = await HoldAsync("mail", "a", "b", "damaged");
        store.Before = (step, id) =>
        {
            if (step == "renew" && id == "mail~damaged")
            {
                throw new IOException("the entry is damaged");
            }
        };

        await time.PassAsync(Duration / 3);
        await time.PassAsync(Duration / 3);
        Assert.All(claims, claim => Assert.False(claim.Lost.IsCancellationRequested));
        await time.PassAsync(Duration / 3);

        await LostAsync(claims[2]);
        Assert.All(claims[..2], claim => Assert.Equal(time.GetUtcNow() + Duration, claim.LeaseEnd));
        Assert.All(claims[..2], claim => Assert.False(claim.Lost.IsCancellationRequested));
        Assert.Contains(
            log.At(LogLevel.Warning),
            text => text.StartsWith("Another instance took over 1 failed events", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Claim_ThatAnotherInstanceHas_IsLost()
    {
        var claims = await HoldAsync("mail", "a", "b");
        await store.CompleteAsync(claims[1].Entry, Token);

        await time.PassAsync(Duration / 3);

        await LostAsync(claims[1]);
        Assert.False(claims[0].Lost.IsCancellationRequested);
        Assert.Single(log.At(LogLevel.Warning));
    }

    [Fact]
    public async Task Claims_OfAStoreThatFails_AreLostWithTheirLeases()
    {
        var claims = await HoldAsync("mail", "a", "b", "c", "d", "e");
        store.Before = (_, id) =>
        {
            renewed.Add(id);
            throw new IOException("the store is down");
        };

        await time.PassAsync(Duration / 3);

        // The batch fails at its first entry; then single renewals, at most three at a time.
        Assert.Equal(4, renewed.Count);
        await time.PassAsync(Duration / 3);
        Assert.All(claims, claim => Assert.False(claim.Lost.IsCancellationRequested));
        await time.PassAsync(Duration / 3);

        await Task.WhenAll(claims.Select(LostAsync));
        Assert.Contains(
            log.At(LogLevel.Warning),
            text => text.StartsWith("Another instance took over 5 failed events", StringComparison.Ordinal));
    }

    private static async Task LostAsync(RetryLease claim)
    {
        // The token of a lost lease is cancelled on another thread.
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = claim.Lost.Register(lost.SetResult);
        await lost.Task.WaitAsync(RunningBus.Patience, Token);
    }

    private async Task RunAsync()
    {
        // Leaves the context of the test, so that the loop continues when the clock advances.
        await BackendTasks.SwitchToThreadPool();
        await renewer.RunAsync(stop.Token);
    }

    private async Task<RetryLease[]> HoldAsync(string subscription, params string[] ids)
    {
        foreach (var id in ids)
        {
            await store.RecordAsync(
                new FailedEvent
                {
                    Subscription = subscription,
                    Envelope = new Envelope(new EnvelopeAttributes { Id = id, Name = "order.placed" }, []),
                    Status = FailedEventStatus.Waiting,
                    DueAt = time.GetUtcNow(),
                },
                Token);
        }

        var due = await store.ClaimDueAsync([subscription], time.GetUtcNow(), Duration, ids.Length, Token);
        return [.. due.Entries.OrderBy(entry => Array.IndexOf(ids, entry.Envelope.Id)).Select(entry => renewer.Hold(entry))];
    }
}
