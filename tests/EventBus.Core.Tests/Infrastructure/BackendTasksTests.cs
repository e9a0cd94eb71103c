using EventBus.Transports;

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
}
