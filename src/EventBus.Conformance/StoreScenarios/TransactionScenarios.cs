using System.Data.Common;
using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the transaction of a completion: effects commit with the done key or not at all.</summary>
internal static class TransactionScenarios
{
    private static readonly ProcessedKey Key = ProcessedSteps.Key;

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "handled-transaction",
            "Effects commit with the done key or not at all, and not when the claim was lost, so that an effect in the same database "
                + "happens exactly once.",
            TransactionAsync)
        {
            SkipUnless = StoreRule.All(StoreRule.Processed, StoreRule.Transactions),
        },
    ];

    private static async Task TransactionAsync(StoreRun run)
    {
        var claim = await run.ClaimKeyAsync(Key);
        var tableKey = new ProcessedKey("mail", "table");
        var tableClaim = await run.ClaimKeyAsync(tableKey);
        Expect.That(
            await run.Processed.CompleteAsync(
                tableKey,
                tableClaim.FencingToken,
                WithEffects(Execute("CREATE TABLE effects (id INTEGER)")),
                default),
            "an effect creates a table");

        var broken = await Expect.ThrowsAsync<EffectException>(
            () => run.Processed.CompleteAsync(
                Key,
                claim.FencingToken,
                WithEffects(Insert, (_, _) => throw new InvalidOperationException("on purpose")),
                default).AsTask(), "an effect that fails prevents the commit");
        Expect.Equal("on purpose", broken.InnerException?.Message, "the cause of the exception");
        Expect.Equal(0, await CountEffectsAsync("broken"), "the number of effects after one failed");
        await run.ExpectKeyAsync(ProcessedState.InProgress, 0);

        Expect.That(
            !await run.Processed.CompleteAsync(Key, claim.FencingToken + 1, WithEffects(Insert), default),
            "a caller with another fencing token cannot complete");
        Expect.Equal(0, await CountEffectsAsync("lost"), "the number of effects after a completion was refused");
        for (var i = 0; i < 2; i++)
        {
            Expect.That(
                await run.Processed.CompleteAsync(Key, claim.FencingToken, WithEffects(Insert, Insert), default),
                "the owner completes");
            Expect.Equal(2, await CountEffectsAsync($"done {i}"), "the number of effects of one completion, also when it is called again");
        }

        await run.ExpectKeyAsync(ProcessedState.Done, 0);

        Completion WithEffects(params Func<DbTransaction, CancellationToken, Task>[] effects) => run.Done() with { Effects = effects };

        Task Insert(DbTransaction transaction, CancellationToken cancellationToken) =>
            Execute("INSERT INTO effects (id) VALUES (1)")(transaction, cancellationToken);

        // Counts the effects by an effect of another key, whose id is given.
        async Task<int> CountEffectsAsync(string id)
        {
            var count = -1;
            var key = new ProcessedKey("mail", id);
            var claimOfCount = await run.ClaimKeyAsync(key);
            var query = Execute(
                "SELECT COUNT(*) FROM effects",
                value => count = Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture));
            await run.Processed.CompleteAsync(key, claimOfCount.FencingToken, WithEffects(query), default);
            return count;
        }
    }

    private static Func<DbTransaction, CancellationToken, Task> Execute(string text, Action<object?>? result = null) =>
        async (transaction, cancellationToken) =>
        {
            await using var command = transaction.Connection!.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = text;
            var value = await command.ExecuteScalarAsync(cancellationToken);
            result?.Invoke(value);
        };
}
