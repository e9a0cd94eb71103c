using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed class LeaseRenewerTests : IAsyncDisposable
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly ObservedTime time = new();
    private readonly LogMemory log = new();
    private readonly CancellationTokenSource stop = new();
    private readonly TestRenewer renewer;
    private readonly Task running;

    public LeaseRenewerTests()
    {
        renewer = new TestRenewer(TestServices.Create(time, new PrintableLogger(log, time)));
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
    public async Task Lease_Held_IsRenewedAtEachPeriodUntilItIsReleased()
    {
        var lease = Hold("a");

        await PassAsync();
        await PassAsync();
        Assert.Equal(["a", "a"], renewer.Renewed);
        Assert.Equal(time.GetUtcNow() + Duration, lease.LeaseEnd);

        Assert.True(renewer.Release(lease));
        await PassAsync();

        Assert.Equal(2, renewer.Renewed.Count);
        Assert.False(renewer.Release(lease));
        Assert.False(lease.Lost.IsCancellationRequested);
    }

    [Fact]
    public async Task Leases_OfABatch_AreRenewedWithOneCall()
    {
        renewer.Batch = 2;
        Hold("a");
        Hold("a");
        Hold("a");

        await PassAsync();

        Assert.Equal(["a a", "a"], renewer.Renewed.OrderDescending(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Lease_ThatIsNotDue_IsLeftOut()
    {
        Hold("a");
        Hold("saved");

        await PassAsync();

        Assert.Equal(["a"], renewer.Renewed);
    }

    [Fact]
    public async Task Lease_ThatAnotherInstanceHas_IsLostAndNotRenewedAgain()
    {
        var lease = Hold("taken");

        await PassAsync();
        await PassAsync();

        await LostAsync(lease);
        Assert.Equal(["taken"], renewer.Renewed);
    }

    [Fact]
    public async Task Renewal_ThatFails_IsRepeatedAndLosesTheLeaseOnlyAtItsEnd()
    {
        var lease = Hold("a");
        renewer.Failure = new IOException("the store is down");

        await PassAsync();
        await PassAsync();
        Assert.False(lease.Lost.IsCancellationRequested);
        Assert.Single(log.At(LogLevel.Error));

        // Now 25 s after the lease began: the margin is 5 s.
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.False(lease.Lost.IsCancellationRequested);
        await PassAsync();

        await LostAsync(lease);
        Assert.Equal(["a", "a", "a"], renewer.Renewed);
    }

    [Fact]
    public async Task Renewal_ThatFailsAndThenSucceeds_LosesNothing()
    {
        var lease = Hold("a");
        renewer.Failure = new IOException("the store is down");
        await PassAsync();
        await PassAsync();

        renewer.Failure = null;
        await PassAsync();
        await PassAsync();

        Assert.False(lease.Lost.IsCancellationRequested);
        Assert.Contains(log.At(LogLevel.Information), text => text.StartsWith("Recovered after 2 failures", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Renewal_ThatHangs_LosesItsLeaseAndDoesNotDelayTheOthers()
    {
        var (hanging, other) = (Hold("hang"), Hold("a"));

        await PassAsync();
        await PassAsync();
        Assert.False(hanging.Lost.IsCancellationRequested);
        await PassAsync();

        await LostAsync(hanging);
        Assert.False(other.Lost.IsCancellationRequested);
        Assert.Equal(["a", "a", "a", "hang"], renewer.Renewed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Renewal_ThatFailsBecauseTheBusStops_LosesAndLogsNothing()
    {
        var lease = Hold("hang");
        await PassAsync();

        await stop.CancelAsync();
        await lease.Renewing.WaitAsync(RunningBus.Patience, Token);

        Assert.False(lease.Lost.IsCancellationRequested);
        Assert.Empty(log.Entries);
    }

    private async Task RunAsync()
    {
        // Leaves the context of the test, so that the loop continues when the clock advances.
        await BackendTasks.SwitchToThreadPool();
        await renewer.RunAsync(stop.Token);
    }

    private TestLease Hold(string name)
    {
        var lease = new TestLease(name, time.GetUtcNow() + Duration);
        renewer.Hold(lease);
        return lease;
    }

    private Task PassAsync() => time.PassAsync(Period);

    /// <summary>Completes when the token of a lost lease is cancelled, which happens on another thread.</summary>
    private static async Task LostAsync(TestLease lease)
    {
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lease.Lost.Register(lost.SetResult);
        await lost.Task.WaitAsync(RunningBus.Patience, Token);
    }

    private sealed class TestLease(string name, DateTimeOffset leaseEnd) : Lease(leaseEnd)
    {
        public string Name => name;
    }

    private sealed class TestRenewer(BusServices services)
        : LeaseRenewer<TestLease>("test leases", Period, TimeSpan.FromSeconds(5), services)
    {
        public List<string> Renewed { get; } = [];

        public Exception? Failure { get; set; }

        public int Batch { get; set; } = 1;

        protected override int BatchSize => Batch;

        protected override bool IsDue(TestLease lease, DateTimeOffset now) => lease.Name != "saved";

        protected override async Task<bool> RenewAsync(IReadOnlyList<TestLease> leases, CancellationToken stop)
        {
            Renewed.Add(string.Join(' ', leases.Select(lease => lease.Name)));
            foreach (var lease in leases)
            {
                if (lease.Name == "hang")
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
                }

                if (Failure is not null)
                {
                    throw Failure;
                }

                if (lease.Name == "taken")
                {
                    Lose([lease]);
                }

                lease.LeaseEnd = Time.GetUtcNow() + Duration;
            }

            return true;
        }
    }
}
