using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests lines: events wait in order behind a failed event of the same key.</summary>
internal static class LineScenarios
{
    private const string Key = "k";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "line-in-order",
            "Events of a key wait behind a failed one and follow one at a time in the order in which they came, so that a failure never "
                + "reorders.",
            InOrderAsync) { SkipUnless = StoreRule.Failures },
        new(
            "line-room",
            "A line accepts a maximum number of parked events and no second copy of an event in it, so that one key cannot fill the store.",
            RoomAsync) { SkipUnless = StoreRule.Failures },
        new(
            "line-waits-for-its-time",
            "When the head of a line leaves, a next entry with its own due time waits for that time, so that a retry does not start early.",
            OwnTimeAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task InOrderAsync(StoreRun run)
    {
        await run.ExpectParkAsync(ParkOutcome.NotBlocked, run.Parked("0", Key));
        await run.RecordAsync(run.Waiting("1", line: Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("2", Key));
        await run.RecordAsync(run.Waiting("3", -100, Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("4", Key));
        foreach (var id in new[] { "1", "2", "3", "4", "behind 1", "behind 2" })
        {
            var head = await run.ClaimOneAsync(id);

            // Claiming counts an attempt. Events 1 and 3 had one before, and a parked event had none.
            Expect.Equal(id is "1" or "3" ? 2 : 1, head.Attempts, $"the attempts of '{id}'");
            await run.ExpectDueAsync([], $"while '{id}' runs at the head of the line", 30);
            if (id is "1" or "2")
            {
                await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked($"behind {id}", Key));
            }

            if (id == "2")
            {
                // The entry fails, and remains the head of the line.
                Expect.That(
                    await run.Failures.RecordAsync(head with { Status = FailedEventStatus.Waiting, DueAt = run.In(10) }, default),
                    "the head fails");
                await run.ExpectDueAsync([], "while the head waits for its retry", 9);
                head = await run.ClaimOneAsync(id, 10);
            }

            await run.Failures.CompleteAsync(head, default);
        }

        await run.ExpectParkAsync(ParkOutcome.NotBlocked, run.Parked("5", Key));
        Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries after the line became empty");
    }

    private static async Task RoomAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1", line: Key), run.Waiting("2", line: Key), run.Dead("3", Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("4", Key), 2);
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("5", Key), 2);
        await run.ExpectParkAsync(ParkOutcome.LineFull, run.Parked("6", Key), 2);
        foreach (var id in new[] { "1", "2", "3", "4", "5" })
        {
            await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked(id, Key), 2);
        }

        Expect.Equal(5, await run.Failures.CountAsync(default), "the number of entries after copies of all");
        var running = await run.ClaimOneAsync("1");
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("1", Key), 2);
        await run.Failures.CompleteAsync(running, default);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("2"), default);
        Expect.That(await run.DeadLetters.DiscardAsync("mail~3", default), "the dead one is discarded");
        var first = await run.ClaimOneAsync("4");
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("7", Key), 2);
        await run.ExpectParkAsync(ParkOutcome.LineFull, run.Parked("8", Key), 2);
        await run.Failures.CompleteAsync(first, default);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("5"), default);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("7"), default);
        Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries at the end");
    }

    private static async Task OwnTimeAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1", 10, Key), run.Waiting("2", 30, Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("3", Key));
        await run.ExpectDueAsync([], "while the head waits", 9);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("1", 10), default);
        await run.ExpectDueAsync([], "while the next waits for its own time", 29);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("2", 30), default);
        await run.ClaimOneAsync("3");
    }
}
