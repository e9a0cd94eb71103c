using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests claims: only the owner of a claim can change its entry.</summary>
internal static class ClaimScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "settled-claim",
            "A claim ends when its entry is settled, also for an event that is stored a second time, so that a late call changes nothing.",
            SettledClaimAsync) { SkipUnless = StoreRule.Failures },
        new(
            "expired-claim",
            "An entry whose claim expires is due again with a higher claim number and is marked as interrupted, and the previous owner "
                + "can change nothing, so that a crash loses nothing.",
            ExpiredClaimAsync)
        {
            SkipUnless = StoreRule.All(StoreRule.Failures, StoreRule.Durable),
        },
        new(
            "renewed-claim",
            "A renewed claim is not passed to another instance, and the owner of a lost claim is informed, so that a long handler keeps "
                + "its event.",
            RenewedClaimAsync)
        {
            SkipUnless = StoreRule.All(StoreRule.Failures, StoreRule.Durable),
        },
    ];

    private static async Task SettledClaimAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1"), run.Waiting("2"));
        var held = await run.ClaimAsync();
        Expect.Sequence([], await run.Failures.RenewAsync(held, run.In(60), default), "the claims that are lost while all are held");
        var first = held[0];
        await run.Failures.CompleteAsync(first, default);
        Expect.Sequence(
            [first.Id],
            await run.Failures.RenewAsync(held, run.In(60), default),
            "the claims that are lost after one was completed");

        // The event is delivered, fails and is claimed again.
        await run.RecordAsync(run.Waiting("1"));
        var second = await run.ClaimOneAsync("1");
        Expect.That(second.Claim > first.Claim, $"a claim number above {first.Claim} for the same event and subscription", second.Claim);
        await ExpectLostClaimHasNoEffectAsync(run, first);
        Expect.Sequence([], await run.Failures.RenewAsync([second], run.In(60), default), "the claims that are lost while all are held");
        await run.Failures.CompleteAsync(second, default);
        await run.Failures.CompleteAsync(held[1], default);
        Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries after all were completed");
    }

    private static async Task ExpiredClaimAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        await run.RecordAsync(run.Waiting("1"));
        var first = await run.ClaimOneAsync("1");
        await run.ExpectDueAsync([], "while the claim holds", 59);

        var taken = (await other.ClaimDueAsync(["mail"], run.In(61), StoreRun.Lease, 10, default)).Entries;
        Expect.Sequence(["mail~1"], taken.Select(entry => entry.Id), "the entries that another instance claims after the lease");
        var second = taken[0];
        Expect.That(
            second.WasInterrupted && second.Attempts == first.Attempts && second.Claim > first.Claim,
            $"an interrupted entry with its earlier attempts and a claim above {first.Claim}",
            second);
        await ExpectLostClaimHasNoEffectAsync(run, first);
        Expect.Sequence([], await other.RenewAsync([second], run.In(121), default), "the claims that are lost while all are held");
        Expect.That(!await run.Failures.BeginAsync(first with { Attempts = 9 }, default), "an owner that lost its claim counts no attempt");
        for (var call = 1; call <= 2; call++)
        {
            Expect.That(
                await other.BeginAsync(second with { Attempts = second.Attempts + 1, Concurrent = 1 }, default),
                $"the new owner counts the next attempt, call {call}");
        }

        var third = (await other.ClaimDueAsync(["mail"], run.In(122), StoreRun.Lease, 10, default)).Entries.Single();
        Expect.That(
            third.WasInterrupted && third.Attempts == second.Attempts + 1 && third.Concurrent == 1,
            "an interrupted entry with one more attempt, which was a concurrent one",
            third);
        Expect.That(
            await other.RecordAsync(third with { DueAt = run.In(200), Concurrent = 0 }, default),
            "the new owner replaces the entry");
        var last = await run.ClaimOneAsync("1", 200);
        Expect.That(
            !last.WasInterrupted && last.Concurrent == 0 && last.Claim > third.Claim,
            "an entry that is no longer interrupted, because its last claim was settled",
            last);

        // An owner may settle an entry after its lease has ended, as long as no other instance has claimed it.
        Expect.That(
            await run.Failures.RecordAsync(last with { Status = FailedEventStatus.Dead }, default),
            "an owner whose lease expired settles an entry that no other instance has claimed");
    }

    private static async Task RenewedClaimAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1"), run.Waiting("2"), run.Waiting("3"));
        var held = await run.ClaimAsync();
        Expect.Sequence(
            [],
            await run.Failures.RenewAsync([held[0], held[1]], run.In(300), default),
            "the claims that are lost while all are held");
        var taken = await run.ClaimOneAsync("3", 61);
        Expect.Sequence(
            ["mail~3"],
            await run.Failures.RenewAsync(held, run.In(400), default),
            "the claims that are lost after one was taken over");
        Expect.Sequence([], await run.Failures.RenewAsync([taken], run.In(400), default), "the claims that the new owner has lost");
        await run.ExpectDueAsync([], "while all claims are renewed", 399);
        Expect.Sequence(
            ["1", "2", "3"],
            (await run.ClaimAsync(401)).Select(entry => entry.Envelope.Id).Order(),
            "the entries that are due after the last renewal");
        Expect.Sequence(
            held.Select(entry => entry.Id),
            (await run.Failures.RenewAsync(held, run.In(500), default)).Order(),
            "the claims that are lost after all were taken over");
    }

    /// <summary>Expects that the owner of a lost claim cannot change the entry.</summary>
    private static async Task ExpectLostClaimHasNoEffectAsync(StoreRun run, FailedEvent lost)
    {
        var before = await run.Failures.CountAsync(default);
        await run.Failures.CompleteAsync(lost, default);
        Expect.That(
            !await run.Failures.RecordAsync(lost with { Status = FailedEventStatus.Dead }, default),
            "a record under a lost claim is refused");

        // An event that is stored already counts as deferred, but its entry does not change.
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred(lost.Envelope.Id, "o", due: 0) with { Claim = lost.Claim }, 0, 10, default),
            "the answer to a deferral under a lost claim");
        Expect.Sequence([lost.Id], await run.Failures.RenewAsync([lost], run.In(1_000), default), "the claims that are lost");
        Expect.Equal(
            before,
            await run.Failures.CountAsync(default),
            "the number of entries after an owner that lost its claim tried to settle it");
        await run.ExpectDeadAsync([], "after an owner that lost its claim recorded the entry as dead");
        await run.ExpectDueAsync([], "after an owner that lost its claim deferred the entry");
    }
}
