using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the claims of idempotent subscriptions: a handled event is not handled again.</summary>
internal static class ProcessedScenarios
{
    private static readonly ProcessedKey Key = ProcessedSteps.Key;

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "handled-once",
            "A key is first new, then claimed, then done, and keeps the fingerprint of its content, so that an effect happens once.",
            HandledOnceAsync) { SkipUnless = StoreRule.Processed },
        new(
            "handled-claims-at-once",
            "If a key is claimed several times at once, exactly one claim succeeds, so that two copies never run at the same time.",
            AtOnceAsync) { SkipUnless = StoreRule.Processed },
        new(
            "handled-keys-apart",
            "Every key of every subscription is independent, with any characters in it, so that no event suppresses another.",
            ApartAsync) { SkipUnless = StoreRule.Processed },
        new(
            "handled-take-over",
            "A claim whose lease has expired is taken over with a higher fencing token, and the previous owner can neither complete, "
                + "renew nor release it, so that a late writer changes nothing.",
            TakeOverAsync) { SkipUnless = StoreRule.Processed },
        new(
            "handled-renewal",
            "A claim that is renewed is not taken over, so that a long handler keeps its event.",
            RenewalAsync) { SkipUnless = StoreRule.Processed },
        new(
            "handled-release",
            "A released claim can be taken at once, and the next claim has a higher fencing token, so that a failed handler is retried "
                + "without waiting.",
            ReleaseAsync) { SkipUnless = StoreRule.Processed },
    ];

    private static async Task HandledOnceAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Processed!;
        const long Fingerprint = long.MinValue;
        var first = await run.ClaimKeyAsync(Key, Fingerprint);
        Expect.That(first.FencingToken > 0 && first.Outbox.Count == 0, "a claim with a fencing token and nothing to send", first);
        await run.ExpectKeyAsync(ProcessedState.InProgress, 0, other, Fingerprint);
        Expect.Equal(1, await run.Processed.CountAsync(default), "the number of keys while one is held");
        Expect.That(await run.Processed.CompleteAsync(Key, first.FencingToken, run.Done(), default), "the owner completes");
        await run.ExpectKeyAsync(ProcessedState.Done, 0, other, Fingerprint);
        await run.ExpectKeyAsync(ProcessedState.Done, 1_000, run.Processed, Fingerprint);
        Expect.Equal(1, await run.Processed.CountAsync(default), "the number of keys when one is done");

        await run.Processed.ReleaseAsync(Key, first.FencingToken, default);
        Expect.That(
            !await run.Processed.RenewAsync(Key, first.FencingToken, run.In(600), default),
            "a done key has no claim that could be renewed");
        await run.ExpectKeyAsync(ProcessedState.Done, 1_000, run.Processed, Fingerprint);
    }

    private static async Task AtOnceAsync(StoreRun run)
    {
        ProcessedEventStore[] instances = [run.Processed, (await run.OpenSecondInstanceAsync()).Processed!];
        for (var round = 0; round < 40; round++)
        {
            var key = new ProcessedKey("mail", $"{round}");
            var claims = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(i => instances[i % 2].ClaimAsync(key, i, run.Now, StoreRun.Lease, default).AsTask()));
            Expect.Sequence(
                [ProcessedState.New, .. Enumerable.Repeat(ProcessedState.InProgress, 7)],
                claims.Select(claim => claim.State).Order(),
                "the answers to eight claims of a key at once");

            // The same claims after the lease has expired.
            claims = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(i => instances[i % 2].ClaimAsync(key, i, run.In(61), StoreRun.Lease, default).AsTask()));
            Expect.Equal(1, claims.Count(claim => claim.State == ProcessedState.New), "the number of new claims of four after the lease");
        }
    }

    private static async Task ApartAsync(StoreRun run)
    {
        ProcessedKey[] keys =
        [
            .. Sample.UnusualKeys.Select(key => new ProcessedKey("mail", key)),
            new("mail.a", "b"),
            new("mail", "a.b"),
            new("mail-a", "b"),
            new("mail", "a-b"),
            new("stock", "a")
        ];
        var fencingTokens = new List<long>();
        foreach (var key in keys)
        {
            fencingTokens.Add((await run.ClaimKeyAsync(key)).FencingToken);
        }

        foreach (var (key, fencingToken) in keys.Zip(fencingTokens))
        {
            Expect.That(
                await run.Processed.CompleteAsync(key, fencingToken, run.Done(), default),
                $"the claim of '{key.Key}' is completed");
        }

        Expect.Equal(keys.Length, await run.Processed.CountAsync(default), "the number of keys");
    }

    private static async Task TakeOverAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Processed!;
        var first = await run.ClaimKeyAsync(Key);
        await run.ExpectKeyAsync(ProcessedState.InProgress, 59);
        var second = await other.ClaimAsync(Key, 2, run.In(61), StoreRun.Lease, default);
        Expect.That(
            second.State == ProcessedState.New && second.FencingToken > first.FencingToken,
            $"a new claim with a fencing token above {first.FencingToken} after the lease",
            second);

        Expect.That(
            !await run.Processed.CompleteAsync(Key, first.FencingToken, run.Done("lost"), default),
            "the previous owner cannot complete");
        Expect.That(!await run.Processed.RenewAsync(Key, first.FencingToken, run.In(9_999), default), "the previous owner cannot renew");
        await run.Processed.ReleaseAsync(Key, first.FencingToken, default);
        await run.ExpectKeyAsync(ProcessedState.InProgress, 119, run.Processed, 2);
        Expect.That(await other.CompleteAsync(Key, second.FencingToken, run.Done("kept"), default), "the new owner completes");
        var done = await run.Processed.ClaimAsync(Key, 3, run.In(120), StoreRun.Lease, default);
        Expect.Sequence(["kept"], done.Outbox.Select(envelope => envelope.Id), "the events that the new owner has left to send");
        Expect.That(
            !await run.Processed.CompleteAsync(Key, first.FencingToken, run.Done("lost"), default),
            "the previous owner cannot complete what is done");

        // A claim whose lease has ended belongs to its owner until another instance claims the key.
        var late = new ProcessedKey("mail", "late");
        var claim = await run.ClaimKeyAsync(late);
        Expect.That(
            await run.Processed.RenewAsync(late, claim.FencingToken, run.In(600), default),
            "an owner whose lease expired renews the claim of a key that no other has claimed");
        await run.ExpectKeyAsync(ProcessedState.InProgress, 599, key: late);
    }

    private static async Task RenewalAsync(StoreRun run)
    {
        var first = await run.ClaimKeyAsync(Key);
        Expect.That(await run.Processed.RenewAsync(Key, first.FencingToken, run.In(300), default), "the owner renews");
        Expect.That(
            !await run.Processed.RenewAsync(new ProcessedKey("mail", "unknown"), 1, run.In(300), default),
            "a claim that never existed is not renewed");
        await run.ExpectKeyAsync(ProcessedState.InProgress, 299);
        var second = await run.Processed.ClaimAsync(Key, 0, run.In(301), StoreRun.Lease, default);
        Expect.Equal(ProcessedState.New, second.State, "the state after the last renewal");
    }

    private static async Task ReleaseAsync(StoreRun run)
    {
        var fencingToken = 0L;
        for (var i = 0; i < 3; i++)
        {
            var claim = await run.ClaimKeyAsync(Key, i);
            Expect.That(claim.FencingToken > fencingToken, $"a fencing token above {fencingToken}", claim.FencingToken);
            fencingToken = claim.FencingToken;
            await run.Processed.ReleaseAsync(Key, fencingToken, default);
            Expect.That(!await run.Processed.RenewAsync(Key, fencingToken, run.In(60), default), "a released claim is not renewed");
            Expect.That(!await run.Processed.CompleteAsync(Key, fencingToken, run.Done(), default), "a released claim is not completed");
        }

        await run.Processed.ReleaseAsync(new ProcessedKey("mail", "unknown"), 1, default);
    }
}
