using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

public sealed class ClaimLeaseRenewerTests : IAsyncDisposable
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(30);
    private static readonly ProcessedKey Key = new("points", "1");

    private readonly ObservedTime time = new();
    private readonly InMemoryProcessedEventStore store = new(1_000);
    private readonly CancellationTokenSource stop = new();
    private readonly ClaimLeaseRenewer renewer;
    private readonly Task running;

    public ClaimLeaseRenewerTests()
    {
        renewer = new ClaimLeaseRenewer(store, Duration, TestServices.Create(time));
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
    public async Task Claim_WhileItsHandlerRuns_IsRenewedAtEachThirdOfTheLease()
    {
        using var lease = await HoldAsync();

        for (var i = 1; i <= 6; i++)
        {
            await time.PassAsync(Duration / 3);
            Assert.Equal(ProcessedState.InProgress, (await ClaimAsync()).State);
        }

        Assert.False(lease.Lost.IsCancellationRequested);
        Assert.Equal(time.GetUtcNow() + Duration, lease.LeaseEnd);
    }

    [Fact]
    public async Task Claim_AfterItsHandlerHasEnded_EndsWithItsLease()
    {
        (await HoldAsync()).Dispose();

        await time.PassAsync(Duration);

        Assert.Equal(ProcessedState.New, (await ClaimAsync()).State);
    }

    [Fact]
    public async Task Claim_ThatAnotherAttemptHas_IsLost()
    {
        using var lease = await HoldAsync();
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lease.Lost.Register(lost.SetResult);
        await store.ClaimAsync(Key, 0, DateTimeOffset.MaxValue, TimeSpan.Zero, Token);

        await time.PassAsync(Duration / 3);

        await lost.Task.WaitAsync(RunningBus.Patience, Token);
    }

    private async Task RunAsync()
    {
        // Leaves the context of the test, so that the loop continues when the clock advances.
        await BackendTasks.SwitchToThreadPool();
        await renewer.RunAsync(stop.Token);
    }

    private ValueTask<ProcessedClaim> ClaimAsync() => store.ClaimAsync(Key, 0, time.GetUtcNow(), Duration, Token);

    private async Task<ClaimLease> HoldAsync()
    {
        var claim = new EventClaim(
            Key,
            0,
            new WriteSubject(Key.Subscription, "order.placed", "1", _ => Task.CompletedTask),
            new RunningAttempts(TestServices.Create(time)));
        claim.FencingToken = (await ClaimAsync()).FencingToken;
        return renewer.Hold(claim);
    }
}
