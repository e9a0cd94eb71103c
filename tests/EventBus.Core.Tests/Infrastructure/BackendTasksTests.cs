using EventBus.Transports;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class BackendTasksTests
{
    [Fact]
    public async Task Task_AwaitedQuietly_ThrowsNeitherItsErrorNorItsCancellation()
    {
        var (failed, cancelled) = (
            Task.FromException<int>(new IOException("gone")),
            Task.FromCanceled(new CancellationToken(canceled: true)));

        await failed.Quietly();
        await cancelled.Quietly();

        Assert.True(failed.IsFaulted);
    }

    [Fact]
    public async Task Task_AwaitedQuietly_IsWaitedFor()
    {
        var source = new TaskCompletionSource();
        var waiting = WaitAsync();

        Assert.False(waiting.IsCompleted);
        source.SetException(new IOException("gone"));
        await waiting;

        async Task WaitAsync() => await source.Task.Quietly();
    }

    [Fact]
    public async Task Task_Observed_StillThrowsWhereItIsAwaited()
    {
        var failed = Task.FromException<int>(new IOException("gone"));

        Assert.Same(failed, failed.Observed());
        await Assert.ThrowsAsync<IOException>(() => failed);
    }

    [Fact]
    public async Task SwitchToThreadPool_InAContext_LeavesIt()
    {
        SynchronizationContext? before = null, after = null;
        await RunAsync();

        Assert.NotNull(before);
        Assert.Null(after);

        async Task RunAsync()
        {
            SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
            before = SynchronizationContext.Current;
            await BackendTasks.SwitchToThreadPool();
            after = SynchronizationContext.Current;
        }
    }

    [Fact]
    public void WithTimeout_AfterTheTimeout_IsCancelled()
    {
        var time = new FakeTimeProvider();
        using var limit = CancellationToken.None.WithTimeout(TimeSpan.FromSeconds(2), time);

        time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(limit.IsCancellationRequested);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(limit.IsCancellationRequested);
    }

    [Fact]
    public async Task WithTimeout_WhenTheCallerCancels_IsCancelled()
    {
        using var caller = new CancellationTokenSource();
        using var limit = caller.Token.WithTimeout(Timeout.InfiniteTimeSpan, new FakeTimeProvider());
        var waiting = Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, limit.Token);

        Assert.False(limit.IsCancellationRequested);
        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task WithTimeout_OfACancelledToken_IsCancelled()
    {
        using var caller = new CancellationTokenSource();
        await caller.CancelAsync();
        using var limit = caller.Token.WithTimeout(TimeSpan.FromSeconds(1), new FakeTimeProvider());

        Assert.True(limit.IsCancellationRequested);
    }

    [Fact]
    public async Task WithTimeout_Disposed_IsNotCancelledByTheCallerOrTheClock()
    {
        var time = new FakeTimeProvider();
        using var caller = new CancellationTokenSource();
        var limit = caller.Token.WithTimeout(TimeSpan.FromSeconds(1), time);
        var token = limit.Token;
        limit.Dispose();

        time.Advance(TimeSpan.FromSeconds(2));
        await caller.CancelAsync();

        Assert.False(token.IsCancellationRequested);
    }
}
