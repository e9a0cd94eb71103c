using System.Data.Common;
using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests idempotent subscriptions: a handled event is not handled again.</summary>
internal static class ProcessedScenarios
{
    private static readonly ProcessedKey Key = new("mail", "1");

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "handled-once",
            "A key is new, then held, then done, with the fingerprint of its content, so that an effect happens once.",
            HandledOnceAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-claims-at-once",
            "Of claims of a key at the same time exactly one is new, so that two copies never run at once.",
            AtOnceAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-keys-apart",
            "Every key of every subscription stands alone, whatever it is made of, so that no event suppresses another.",
            ApartAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-take-over",
            "A claim whose lease ended is taken over under a higher number, and its old holder can neither complete, renew nor release "
                + "it, so that a late writer is fenced off.",
            TakeOverAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-renewal",
            "A claim that is renewed is not taken over, so that a long handler keeps its event.",
            RenewalAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-release",
            "A claim that is released is free at once and the next has a higher number, so that a failed handler is retried without "
                + "waiting.",
            ReleaseAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-completed-again",
            "Completing again under the same number is answered like the first time and changes nothing, so that a lost answer starts no "
                + "second run.",
            CompletedAgainAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-outbox",
            "What the handler published is kept with the done key, in order and whole, until it was sent, so that a crash in between "
                + "loses no event.",
            OutboxAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-retention",
            "Done keys are swept when their retention has ended, so many at once, and none whose events were not sent, and claims that "
                + "were abandoned long ago, so that a store does not grow without limit.",
            SweepAsync) { RuledOut = StoreRule.Processed },
        new(
            "handled-transaction",
            "Effects commit with the done key or not at all, and not when the claim was lost, so that an effect in the same database "
                + "happens exactly once.",
            TransactionAsync)
        {
            RuledOut = StoreRule.All(StoreRule.Processed, StoreRule.Transactions),
        },
    ];

    private static async Task HandledOnceAsync(StoreRun run)
    {
        var other = (await run.OtherAsync()).Processed!;
        var first = await ClaimAsync(run, Key, long.MinValue);
        Expect.That(first.FencingToken > 0 && first.Outbox.Count == 0, "a claim with a number and nothing to send", first);
        await ExpectAsync(run, ProcessedState.InProgress, 0, other, long.MinValue);
        Expect.Equal(1, await run.Processed.CountAsync(default), "the number of keys while one is held");
        Expect.That(await run.Processed.CompleteAsync(Key, first.FencingToken, Done(run), default), "the holder completes");
        await ExpectAsync(run, ProcessedState.Done, 0, other, long.MinValue);
        await ExpectAsync(run, ProcessedState.Done, 1_000, run.Processed, long.MinValue);
        Expect.Equal(1, await run.Processed.CountAsync(default), "the number of keys when one is done");

        await run.Processed.ReleaseAsync(Key, first.FencingToken, default);
        Expect.That(
            !await run.Processed.RenewAsync(Key, first.FencingToken, run.In(600), default),
            "a done key is no longer held, and not renewed");
        await ExpectAsync(run, ProcessedState.Done, 1_000, run.Processed, long.MinValue);
    }

    private static async Task AtOnceAsync(StoreRun run)
    {
        ProcessedEventStore[] instances = [run.Processed, (await run.OtherAsync()).Processed!];
        for (var round = 0; round < 40; round++)
        {
            var key = new ProcessedKey("mail", $"{round}");
            var claims = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(i => instances[i % 2].ClaimAsync(key, i, run.Now, StoreRun.Lease, default).AsTask()));
            Expect.Sequence(
                [ProcessedState.New, .. Enumerable.Repeat(ProcessedState.InProgress, 7)],
                claims.Select(claim => claim.State).Order(),
                "the answers to eight claims of a key at once");

            // The same after the lease.
            claims = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(i => instances[i % 2].ClaimAsync(key, i, run.In(61), StoreRun.Lease, default).AsTask()));
            Expect.Equal(1, claims.Count(claim => claim.State == ProcessedState.New), "how many of four claims after the lease are new");
        }
    }

    private static async Task ApartAsync(StoreRun run)
    {
        ProcessedKey[] keys = [
            .. Sample.OddKeys.Select(key => new ProcessedKey("mail", key)),
            new("mail.a", "b"),
            new("mail", "a.b"),
            new("mail-a", "b"),
            new("mail", "a-b"),
            new("stock", "a")
        ];
        var fencingTokens = new List<long>();
        foreach (var key in keys)
        {
            fencingTokens.Add((await ClaimAsync(run, key)).FencingToken);
        }

        foreach (var (key, fencingToken) in keys.Zip(fencingTokens))
        {
            Expect.That(await run.Processed.CompleteAsync(key, fencingToken, Done(run), default), $"the claim of '{key.Key}' is completed");
        }

        Expect.Equal(keys.Length, await run.Processed.CountAsync(default), "the number of keys");
    }

    private static async Task TakeOverAsync(StoreRun run)
    {
        var other = (await run.OtherAsync()).Processed!;
        var first = await ClaimAsync(run, Key);
        await ExpectAsync(run, ProcessedState.InProgress, 59);
        var second = await other.ClaimAsync(Key, 2, run.In(61), StoreRun.Lease, default);
        Expect.That(
            second.State == ProcessedState.New && second.FencingToken > first.FencingToken,
            $"a new claim above {first.FencingToken} after the lease",
            second);

        Expect.That(
            !await run.Processed.CompleteAsync(Key, first.FencingToken, Done(run, "lost"), default), "the old holder cannot complete");
        Expect.That(!await run.Processed.RenewAsync(Key, first.FencingToken, run.In(9_999), default), "the old holder cannot renew");
        await run.Processed.ReleaseAsync(Key, first.FencingToken, default);
        await ExpectAsync(run, ProcessedState.InProgress, 119, run.Processed, 2);
        Expect.That(await other.CompleteAsync(Key, second.FencingToken, Done(run, "kept"), default), "the new holder completes");
        var done = await run.Processed.ClaimAsync(Key, 3, run.In(120), StoreRun.Lease, default);
        Expect.Sequence(["kept"], done.Outbox.Select(envelope => envelope.Id), "what the new holder left to send");
        Expect.That(
            !await run.Processed.CompleteAsync(Key, first.FencingToken, Done(run, "lost"), default),
            "the old holder cannot complete what is done");

        // A claim whose lease has ended belongs to its holder until another instance claims the key.
        var late = new ProcessedKey("mail", "late");
        var claim = await ClaimAsync(run, late);
        Expect.That(
            await run.Processed.RenewAsync(late, claim.FencingToken, run.In(600), default),
            "an owner whose lease expired renews a key that no other has claimed");
        await ExpectAsync(run, ProcessedState.InProgress, 599, key: late);
    }

    private static async Task RenewalAsync(StoreRun run)
    {
        var first = await ClaimAsync(run, Key);
        Expect.That(await run.Processed.RenewAsync(Key, first.FencingToken, run.In(300), default), "the holder renews");
        Expect.That(
            !await run.Processed.RenewAsync(new ProcessedKey("mail", "unknown"), 1, run.In(300), default),
            "a claim that never was is not renewed");
        await ExpectAsync(run, ProcessedState.InProgress, 299);
        var second = await run.Processed.ClaimAsync(Key, 0, run.In(301), StoreRun.Lease, default);
        Expect.Equal(ProcessedState.New, second.State, "the state after the last renewal");
    }

    private static async Task ReleaseAsync(StoreRun run)
    {
        var fencingToken = 0L;
        for (var i = 0; i < 3; i++)
        {
            var claim = await ClaimAsync(run, Key, i);
            Expect.That(claim.FencingToken > fencingToken, $"a claim above {fencingToken}", claim.FencingToken);
            fencingToken = claim.FencingToken;
            await run.Processed.ReleaseAsync(Key, fencingToken, default);
            Expect.That(!await run.Processed.RenewAsync(Key, fencingToken, run.In(60), default), "a released claim is not renewed");
            Expect.That(!await run.Processed.CompleteAsync(Key, fencingToken, Done(run), default), "a released claim is not completed");
        }

        await run.Processed.ReleaseAsync(new ProcessedKey("mail", "unknown"), 1, default);
    }

    private static async Task CompletedAgainAsync(StoreRun run)
    {
        var claim = await ClaimAsync(run, Key);
        Expect.That(await run.Processed.CompleteAsync(Key, claim.FencingToken, Done(run, "a"), default), "the holder completes");
        Expect.That(
            await run.Processed.CompleteAsync(Key, claim.FencingToken, Done(run, "a"), default), "the same call again says the same");
        await ExpectOutboxAsync("a");
        await run.Processed.MarkDispatchedAsync(Key, default);
        Expect.That(
            await run.Processed.CompleteAsync(Key, claim.FencingToken, Done(run, "a"), default),
            "the same call again after the sending says the same");
        await ExpectOutboxAsync();
        await run.Processed.MarkDispatchedAsync(Key, default);
        await run.Processed.MarkDispatchedAsync(new ProcessedKey("mail", "unknown"), default);

        async Task ExpectOutboxAsync(params string[] ids) => Expect.Sequence(
            ids,
            (await run.Processed.ClaimAsync(Key, 0, run.Now, StoreRun.Lease, default)).Outbox.Select(envelope => envelope.Id),
            "what is left to send");
    }

    private static async Task OutboxAsync(StoreRun run)
    {
        var other = (await run.OtherAsync()).Processed!;
        var claim = await ClaimAsync(run, Key);
        Expect.That(
            await run.Processed.CompleteAsync(Key, claim.FencingToken, new Completion(Sample.Envelopes, [], run.In(3_600)), default),
            "the holder completes");
        for (var i = 0; i < 2; i++)
        {
            var again = await other.ClaimAsync(Key, 0, run.In(i * 100), StoreRun.Lease, default);
            Expect.Equal((ProcessedState.Done, 0L), (again.State, again.FencingToken), "the answer to a redelivery");
            Expect.Equal(Sample.Envelopes.Count, again.Outbox.Count, "the number of events that are left to send");
            foreach (var (expected, happened) in Sample.Envelopes.Zip(again.Outbox))
            {
                Expect.Equal(Sample.Describe(expected), Sample.Describe(happened), $"the event '{expected.Id}' that is left to send");
            }
        }

        await other.MarkDispatchedAsync(Key, default);
        var sent = await run.Processed.ClaimAsync(Key, 0, run.Now, StoreRun.Lease, default);
        Expect.Equal((ProcessedState.Done, 0), (sent.State, sent.Outbox.Count), "state and number of events after the sending");
    }

    private static async Task SweepAsync(StoreRun run)
    {
        for (var i = 0; i < 6; i++)
        {
            await CompleteAsync($"{i}", i, []);
        }

        await CompleteAsync("unsent", 0, ["a"]);
        await ClaimAsync(run, new ProcessedKey("mail", "held"));
        Expect.Equal(0, await run.Processed.SweepAsync(run.In(-1), 100, default), "how many are swept before any retention has ended");
        Expect.Equal(2, await run.Processed.SweepAsync(run.In(3.5), 2, default), "how many are swept with a limit of 2");
        Expect.Equal(2, await run.Processed.SweepAsync(run.In(3.5), 100, default), "how many are left to sweep");
        Expect.Equal(4, await run.Processed.CountAsync(default), "the number of keys after the sweep");
        await ExpectAsync(run, ProcessedState.Done, key: new ProcessedKey("mail", "4"));
        await ExpectAsync(run, ProcessedState.Done, key: new ProcessedKey("mail", "unsent"));
        await ExpectAsync(run, ProcessedState.InProgress, key: new ProcessedKey("mail", "held"));

        await run.Processed.MarkDispatchedAsync(new ProcessedKey("mail", "unsent"), default);
        Expect.Equal(1, await run.Processed.SweepAsync(run.In(3.5), 100, default), "how many are swept once all events were sent");
        foreach (var forgotten in new[] { "0", "unsent" })
        {
            await ClaimAsync(run, new ProcessedKey("mail", forgotten));
        }

        await run.Processed.SweepAsync(run.In(2 * 24 * 3_600), 100, default);
        Expect.Equal(0, await run.Processed.CountAsync(default), "the number of keys after a sweep long after the last lease has ended");

        async Task CompleteAsync(string id, double keep, string[] outbox)
        {
            var key = new ProcessedKey("mail", id);
            var claim = await ClaimAsync(run, key);
            Expect.That(
                await run.Processed.CompleteAsync(key, claim.FencingToken, Done(run, outbox) with { KeepUntil = run.In(keep) }, default),
                $"'{id}' is completed");
        }
    }

    private static async Task TransactionAsync(StoreRun run)
    {
        var claim = await ClaimAsync(run, Key);
        var created = await ClaimAsync(run, new ProcessedKey("mail", "table"));
        Expect.That(await run.Processed.CompleteAsync(
            new ProcessedKey("mail", "table"),
            created.FencingToken,
            With(Sql("CREATE TABLE effects (id INTEGER)")),
            default), "an effect makes a table");

        var broken = await Expect.ThrowsAsync<EffectException>(
            () => run.Processed.CompleteAsync(
                Key,
                claim.FencingToken,
                With(Insert, (_, _) => throw new InvalidOperationException("on purpose")),
                default).AsTask(), "an effect that fails ends the commit");
        Expect.Equal("on purpose", broken.InnerException?.Message, "the cause of the exception");
        Expect.Equal(0, await CountAsync("broken"), "the number of effects after one failed");
        await ExpectAsync(run, ProcessedState.InProgress, 0);

        Expect.That(
            !await run.Processed.CompleteAsync(Key, claim.FencingToken + 1, With(Insert), default),
            "an owner without the claim cannot complete");
        Expect.Equal(0, await CountAsync("lost"), "the number of effects without the claim");
        for (var i = 0; i < 2; i++)
        {
            Expect.That(await run.Processed.CompleteAsync(Key, claim.FencingToken, With(Insert, Insert), default), "the holder completes");
            Expect.Equal(2, await CountAsync($"done {i}"), "the number of effects of one completion, also when it is called again");
        }

        await ExpectAsync(run, ProcessedState.Done, 0);

        Completion With(params Func<DbTransaction, CancellationToken, Task>[] effects) => Done(run) with { Effects = effects };

        Func<DbTransaction, CancellationToken, Task> Sql(string text, Action<object?>? result = null) =>
            async (transaction, cancellationToken) =>
            {
                await using var command = transaction.Connection!.CreateCommand();
                (command.Transaction, command.CommandText) = (transaction, text);
                var value = await command.ExecuteScalarAsync(cancellationToken);
                result?.Invoke(value);
            };

        Task Insert(DbTransaction transaction, CancellationToken cancellationToken) =>
            Sql("INSERT INTO effects (id) VALUES (1)")(transaction, cancellationToken);

        async Task<int> CountAsync(string id)
        {
            var count = -1;
            var key = new ProcessedKey("mail", id);
            var counting = await ClaimAsync(run, key);
            await run.Processed.CompleteAsync(key, counting.FencingToken, With(Sql(
                "SELECT COUNT(*) FROM effects",
                value => count = Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture))), default);
            return count;
        }
    }

    private static Completion Done(StoreRun run, params string[] outbox) =>
        new([.. outbox.Select(id => Sample.Event(id))], [], run.In(3_600));

    private static async Task<ProcessedClaim> ClaimAsync(StoreRun run, ProcessedKey key, long fingerprint = 1)
    {
        var claim = await run.Processed.ClaimAsync(key, fingerprint, run.Now, StoreRun.Lease, default);
        Expect.Equal(ProcessedState.New, claim.State, $"the state of the key '{key.Key}' when it is claimed");
        return claim;
    }

    private static async Task ExpectAsync(
        StoreRun run,
        ProcessedState state,
        double at = 0,
        ProcessedEventStore? store = null,
        long fingerprint = 1,
        ProcessedKey? key = null)
    {
        var claim = await (store ?? run.Processed).ClaimAsync(key ?? Key, 99, run.In(at), StoreRun.Lease, default);
        Expect.Equal(
            (state, 0L, fingerprint),
            (claim.State, claim.FencingToken, claim.Fingerprint),
            $"state, number and fingerprint of a key after {at} s");
    }
}
