using System.Data;
using System.Data.Common;
using EventBus.Stores;
using Microsoft.Data.Sqlite;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed partial class SqlProcessedEventStoreTests
{
    [Fact]
    public async Task Effect_OfARepeatedCompletion_HappensOnce()
    {
        var fencingToken = await ClaimAsync();
        var completion = Done((transaction, token) => Effects.InsertAsync(transaction, "1", token));

        Assert.True(await Processed.CompleteAsync(Key, fencingToken, completion, Token));
        Assert.True(await Processed.CompleteAsync(Key, fencingToken, completion, Token));

        Assert.Equal(1, await Effects.CountAsync(File));
    }

    [Fact]
    public async Task Effect_OfALostClaim_DoesNotHappen()
    {
        var old = await ClaimAsync();
        var fencingToken = await ClaimAsync(Now + Lease);
        var completion = Done((transaction, token) => Effects.InsertAsync(transaction, "1", token));

        Assert.False(await Processed.CompleteAsync(Key, old, completion, Token));
        Assert.Equal(0, await Effects.CountAsync(File));
        Assert.True(await Processed.CompleteAsync(Key, fencingToken, completion, Token));
        Assert.Equal(1, await Effects.CountAsync(File));
    }

    [Fact]
    public async Task Effect_ThatFails_RollsBackItsOperationAndNoOtherOfTheGroup()
    {
        // One operation occupies the writer until all the others wait, so that they are executed as one group.
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var holds = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var keys = Enumerable.Range(0, 9).Select(number => new ProcessedKey("mail", $"k{number}")).ToArray();
        var fencingTokens = new long[keys.Length];
        for (var i = 0; i < keys.Length; i++)
        {
            fencingTokens[i] = (await Processed.ClaimAsync(keys[i], 0, Now, Lease, Token)).FencingToken;
        }

        var holding = Processed.CompleteAsync(keys[0], fencingTokens[0], Done(async (_, _) =>
        {
            holds.SetResult();
            await hold.Task;
        }), Token).AsTask();
        await holds.Task.WaitAsync(Patience, Token);
        var others = Enumerable.Range(1, 8).Select(i => Processed.CompleteAsync(keys[i], fencingTokens[i], Done(
            (transaction, token) => Effects.InsertAsync(transaction, keys[i].Key, token),
            (transaction, token) => i == 4 ? Effects.InsertAsync(transaction, null, token) : Task.CompletedTask), Token).AsTask())
                .ToArray();
        var record = stores.Failures.RecordAsync(Failed("1"), Token).AsTask();
        hold.SetResult();

        Assert.True(await holding);
        Assert.True(await record);
        for (var i = 1; i <= 8; i++)
        {
            var done = others[i - 1];
            Assert.True(i == 4 ? await Assert.ThrowsAsync<EffectException>(() => done) is { InnerException: DbException } : await done);
            Assert.Equal(i == 4 ? 0 : 1, await Effects.CountAsync(File, keys[i].Key));
        }

        Assert.True(await Processed.RenewAsync(keys[4], fencingTokens[4], Now, Token));
    }

    [Theory]
    [InlineData("COMMIT")]
    [InlineData("ROLLBACK")]
    public async Task Effect_ThatEndsTheTransaction_IsRefused(string how)
    {
        var fencingToken = await ClaimAsync();
        var done = Done(async (transaction, token) =>
        {
            await (how == "COMMIT" ? transaction.CommitAsync(token) : transaction.RollbackAsync(token));
        });

        await Assert.ThrowsAsync<EffectException>(async () => await Processed.CompleteAsync(Key, fencingToken, done, Token));

        Assert.True(await stores.Failures.RecordAsync(Failed("1"), Token));
    }

    /// <summary>Effects of two other events end the transaction of a healthy write, one after the other.</summary>
    [Fact]
    public async Task Effects_ThatEndTheTransactionTwice_DoNotFailOtherWrites()
    {
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var holds = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var keys = Enumerable.Range(0, 3).Select(number => new ProcessedKey("mail", $"k{number}")).ToArray();
        var fencingTokens = new long[keys.Length];
        for (var i = 0; i < keys.Length; i++)
        {
            fencingTokens[i] = (await Processed.ClaimAsync(keys[i], 0, Now, Lease, Token)).FencingToken;
        }

        var holding = Processed.CompleteAsync(keys[0], fencingTokens[0], Done(async (_, _) =>
        {
            holds.TrySetResult();
            await hold.Task;
        }), Token).AsTask();
        await holds.Task.WaitAsync(Patience, Token);
        var record = stores.Failures.RecordAsync(Failed("1"), Token).AsTask();
        var endingEffects = new[] { 1, 2 }.Select(i => Processed.CompleteAsync(
            keys[i],
            fencingTokens[i],
            Done((transaction, token) => transaction.RollbackAsync(token)),
            Token).AsTask()).ToArray();
        hold.SetResult();

        Assert.Equal(StoreScope.Store, (await Assert.ThrowsAsync<StoreRefusedException>(() => record)).Scope);
        Assert.True(await holding);
        foreach (var endingEffect in endingEffects)
        {
            await Assert.ThrowsAsync<EffectException>(() => endingEffect);
        }

        Assert.True(await stores.Failures.RecordAsync(Failed("1"), Token));
    }

    [Fact]
    public async Task Effect_LongerThanItsTimeout_IsCancelledAndRolledBack()
    {
        var fencingToken = await ClaimAsync();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var completing = Processed.CompleteAsync(Key, fencingToken, Done(async (transaction, token) =>
        {
            await Effects.InsertAsync(transaction, "1", token);
            started.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
        }), Token).AsTask();
        await started.Task.WaitAsync(Patience, Token);
        time.Advance(TimeSpan.FromSeconds(5));

        Assert.IsType<TimeoutException>((await Assert.ThrowsAsync<EffectException>(() => completing)).InnerException);
        Assert.Equal(0, await Effects.CountAsync(File));
        Assert.True(await Processed.CompleteAsync(Key, fencingToken, Done(), Token));
    }

    [Fact]
    public async Task Effect_OfACallerThatCancels_IsCancelledAndRolledBack()
    {
        var fencingToken = await ClaimAsync();
        using var stop = new CancellationTokenSource();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var completing = Processed.CompleteAsync(Key, fencingToken, Done(async (_, token) =>
        {
            started.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
        }), stop.Token).AsTask();
        await started.Task.WaitAsync(Patience, Token);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => completing);
        Assert.True(await Processed.CompleteAsync(Key, fencingToken, Done(), Token));
    }

    [Fact]
    public async Task Effect_ThatNeverEnds_IsAbandonedAndOthersContinue()
    {
        var fencingToken = await ClaimAsync();
        var other = new ProcessedKey("mail", "2");
        var otherFence = (await Processed.ClaimAsync(other, 0, Now, Lease, Token)).FencingToken;
        var never = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        DbTransaction? given = null;
        var completing = Processed.CompleteAsync(Key, fencingToken, Done(async (transaction, token) =>
        {
            given = transaction;
            await Effects.InsertAsync(transaction, "1", token);
            started.SetResult();
            await never.Task;
        }), Token).AsTask();
        await started.Task.WaitAsync(Patience, Token);
        var behind = Processed.CompleteAsync(
            other,
            otherFence,
            Done((transaction, token) => Effects.InsertAsync(transaction, "2", token)),
            Token).AsTask();

        // The timeout of an effect comes first, then the time in which it may end. The second one starts after the
        // first.
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(1), "the effect is ended", () => completing.IsCompleted, Token);

        Assert.IsType<TimeoutException>((await Assert.ThrowsAsync<EffectException>(() => completing)).InnerException);
        Assert.True(await behind.WaitAsync(Patience, Token));
        Assert.Equal((0, 1), (await Effects.CountAsync(File, "1"), await Effects.CountAsync(File, "2")));
        Assert.Null(given!.Connection);
        never.SetResult();
    }

    [Fact]
    public async Task Effect_BlockedInAStatement_IsInterrupted()
    {
        var fencingToken = await ClaimAsync();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var completing = Processed.CompleteAsync(Key, fencingToken, Done(async (transaction, _) =>
        {
            started.SetResult();
            await RunLongAsync(transaction.Connection!, transaction);
        }), Token).AsTask();
        await started.Task.WaitAsync(Patience, Token);
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(1), "the effect is ended", () => completing.IsCompleted, Token);

        await Assert.ThrowsAsync<EffectException>(() => completing);
        Assert.True(
            await Processed.CompleteAsync(
                Key,
                fencingToken,
                Done((transaction, token) => Effects.InsertAsync(transaction, "1", token)),
                Token));
    }

    /// <summary>
    /// An interruption before a statement begins has no effect, so one of them may miss every statement of an effect.
    /// </summary>
    [Fact]
    public async Task Effect_ThatStartsStatementAfterStatement_HoldsUpNoOtherWrite()
    {
        var fencingToken = await ClaimAsync();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isUninterrupted = false;
        var completing = Processed.CompleteAsync(Key, fencingToken, Done(async (transaction, _) =>
        {
            var connection = transaction.Connection!;
            ((SqliteConnection)connection).CreateFunction("ended", (long count) => isUninterrupted = count > 0);
            started.SetResult();
            while (connection.State == ConnectionState.Open)
            {
                await Record.ExceptionAsync(() => RunLongAsync(connection, transaction, "ended(count(*))"));
            }

            closed.SetResult();
        }), Token).AsTask();
        await started.Task.WaitAsync(Patience, Token);
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(1), "the effect is ended", () => completing.IsCompleted, Token);

        Assert.IsType<TimeoutException>((await Assert.ThrowsAsync<EffectException>(() => completing)).InnerException);
        Assert.True(await Processed.CompleteAsync(Key, fencingToken, Done(), Token).AsTask().WaitAsync(Patience, Token));
        await closed.Task.WaitAsync(Patience, Token);
        Assert.False(isUninterrupted);
    }

    /// <summary>Runs a statement that takes several seconds.</summary>
    private static async Task RunLongAsync(DbConnection connection, DbTransaction transaction, string result = "count(*)")
    {
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText =
            $"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000000) SELECT {result} FROM n";
        await command.ExecuteScalarAsync(Token);
    }
}
