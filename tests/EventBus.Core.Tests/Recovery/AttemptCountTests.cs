using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that a held write lends the handler slot of its caller. Others wait for the write, not for the slot, which a
/// hanging event may hold by then.
/// </summary>
public sealed class AttemptCountTests
{
    private readonly FakeTimeProvider time = new();
    private readonly FaultyStore store = new();
    private readonly ConcurrencyLimiter slots = new(1);
    private readonly FailurePolicy policy = new(
        "mail",
        false,
        new RetryPolicy(RetrySettings.Merge(), [], new RandomSource(), NullLogger.Instance));
    private readonly Envelope envelope = new(new EnvelopeAttributes { Id = "1", Name = "order.placed" }, "{}"u8.ToArray());
    private readonly TaskCompletionSource written = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly AttemptCounter attempts;
    private int writes;

    public AttemptCountTests() =>
        attempts = TestServices.CreateRecorder(store, TestServices.Create(time)).Attempts;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task Count_StoredWhileAnotherHasTheSlot_IsVisibleAtOnce() =>
        CompletesBeforeTheSlotIsReturnedAsync(
            "count",
            () => attempts.CountAsync(policy, envelope, new AttemptCount(1, 0), slots, written));

    [Fact]
    public Task Mark_StoredWhileAnotherHasTheSlot_IsVisibleAtOnce() =>
        CompletesBeforeTheSlotIsReturnedAsync("count", () => attempts.MarkConcurrentAsync(policy, envelope, slots, written));

    [Fact]
    public Task CountOfAnEntry_StoredWhileAnotherHasTheSlot_IsVisibleAtOnce() =>
        CompletesBeforeTheSlotIsReturnedAsync("begin", () => attempts.BeginAsync(policy, policy.Fresh(envelope, 1), slots, written));

    [Fact]
    public Task MarkOfAnEntry_StoredWhileAnotherHasTheSlot_IsVisibleAtOnce() =>
        CompletesBeforeTheSlotIsReturnedAsync("begin", () => attempts.MarkConcurrentAsync(policy.Fresh(envelope, 1), slots, written));

    private async Task CompletesBeforeTheSlotIsReturnedAsync(string step, Func<Task> write)
    {
        store.Before = (what, _) =>
        {
            if (what == step && ++writes == 1)
            {
                throw new IOException("unreachable for a moment");
            }
        };
        await slots.TakeAsync();
        var writing = write();

        // The new event that hangs takes the slot.
        await slots.TakeAsync().WaitAsync(RunningBus.Patience, Token);
        await time.AdvanceUntilAsync(
            TimeSpan.FromMilliseconds(100),
            () => $"one of {writes} writes succeeds",
            () => Task.FromResult(written.Task.IsCompleted),
            Token);
        Assert.False(writing.IsCompleted);
        slots.Release();
        await writing.WaitAsync(RunningBus.Patience, Token);
    }
}
