using System.Data.Common;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Time.Testing;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed partial class SqlProcessedEventStoreTests : IAsyncLifetime
{
    private static readonly ProcessedKey Key = new("mail", "1");

    private readonly TestFolder folder = new();
    private readonly FakeTimeProvider time = new(Now);
    private TestStores stores = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ProcessedEventStore Processed => stores.Processed;

    private string File => folder["bus.db"];

    public async ValueTask InitializeAsync()
    {
        await Effects.CreateTableAsync(File);
        stores = await OpenAsync(File, time: time);
    }

    public async ValueTask DisposeAsync()
    {
        await stores.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task FencingToken_AfterReleaseAndTakeover_AlwaysIncreases()
    {
        var first = await ClaimAsync();
        Assert.Equal(ProcessedState.InProgress, (await Processed.ClaimAsync(Key, 7, Now, Lease, Token)).State);
        await Processed.ReleaseAsync(Key, first, Token);
        await Processed.ClaimAsync(new ProcessedKey("mail", "other"), 7, Now, Lease, Token);
        var second = await ClaimAsync();
        var third = await ClaimAsync(Now + Lease);

        Assert.True(first < second && second < third);
        Assert.False(await Processed.RenewAsync(Key, second, Now + Lease + Lease, Token));
        Assert.False(await Processed.CompleteAsync(Key, second, Done(), Token));
        await Processed.ReleaseAsync(Key, second, Token);
        Assert.True(await Processed.RenewAsync(Key, third, Now + Lease + Lease, Token));
        Assert.True(await Processed.CompleteAsync(Key, third, Done(), Token));
    }

    [Fact]
    public async Task Outbox_OfADoneKey_StaysUntilItIsSent()
    {
        var fencingToken = await ClaimAsync();
        Envelope[] outbox = [Event("a", 0), Event("b", 5_000)];
        Assert.True(await Processed.CompleteAsync(Key, fencingToken, new Completion(outbox, [], Now), Token));

        var done = await Processed.ClaimAsync(Key, 8, Now, Lease, Token);
        Assert.Equal((ProcessedState.Done, 0, 7), (done.State, done.FencingToken, done.Fingerprint));
        Assert.Equal(["a", "b"], done.Outbox.Select(e => e.Id));
        Assert.Equal(5_000, done.Outbox[1].Body.Length);
        Assert.Equal(0, await Processed.SweepAsync(Now, 10, Token));
        await Processed.MarkDispatchedAsync(Key, Token);

        Assert.Empty((await Processed.ClaimAsync(Key, 8, Now, Lease, Token)).Outbox);
        Assert.Equal(1, await Processed.SweepAsync(Now, 10, Token));
        Assert.Equal(0, await Processed.CountAsync(Token));
    }

    [Fact]
    public async Task Call_CancelledWhileItWaits_HasNoEffect()
    {
        var fencingToken = await ClaimAsync();
        using var stop = new CancellationTokenSource();
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var holds = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var holding = Processed.CompleteAsync(Key, fencingToken, Done(async (_, _) =>
        {
            holds.SetResult();
            await hold.Task;
        }), Token).AsTask();
        await holds.Task.WaitAsync(Patience, Token);
        var waiting = stores.Failures.RecordAsync(Failed("1"), stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        hold.SetResult();

        Assert.True(await holding);
        Assert.True(await stores.Failures.RecordAsync(Failed("2"), Token));
        Assert.Equal(1, await stores.Failures.CountAsync(Token));
    }

    private static Completion Done(params Func<DbTransaction, CancellationToken, Task>[] effects) => new([], effects, Now);

    private async Task<long> ClaimAsync(DateTimeOffset? now = null)
    {
        var claim = await Processed.ClaimAsync(Key, 7, now ?? Now, Lease, Token);
        Assert.Equal(ProcessedState.New, claim.State);
        return claim.FencingToken;
    }
}
