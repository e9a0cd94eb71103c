using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests parked events: events wait in order behind a failed event of the same key.</summary>
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
        new(
            "line-dead-head",
            "A dead letter at the head blocks its line until an operator retries or discards it, so that operators decide whether to "
                + "keep the order.",
            DeadHeadAsync) { SkipUnless = StoreRule.Failures },
        new(
            "line-dead-in-the-middle",
            "A dead entry blocks its line only when it is the head, and removing it from the middle starts nothing, so that the order is "
                + "kept.",
            DeadInTheMiddleAsync) { SkipUnless = StoreRule.Failures },
        new(
            "line-left",
            "An entry that is recorded without a line key leaves its line, which continues without it, so that a subscription may continue "
                + "past its dead letters.",
            LeftAsync) { SkipUnless = StoreRule.Failures },
        new(
            "lines-apart",
            "Every key of every subscription has its own line, with any characters in the key, so that one key never delays another.",
            ApartAsync) { SkipUnless = StoreRule.Failures },
        new(
            "line-races",
            "An event that is parked while the head leaves is either parked and then due, or may run at once, so that no event is left "
                + "behind.",
            RacesAsync) { SkipUnless = StoreRule.Failures },
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

    private static async Task DeadHeadAsync(StoreRun run)
    {
        await run.RecordAsync(run.Dead("1", Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("2", Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("3", Key));
        await run.ExpectDueAsync([], "behind a dead head", 1_000_000);

        Expect.That(await run.DeadLetters.RetryAsync("mail~1", run.In(5), default), "the head is retried");
        var head = await run.ClaimOneAsync("1", 5);
        await run.ExpectDueAsync([], "behind a retried head that runs", 30);
        Expect.That(
            await run.Failures.RecordAsync(head with { Status = FailedEventStatus.Dead }, default),
            "the head becomes a dead letter again");
        await run.ExpectDueAsync([], "behind a head that became a dead letter again", 1_000_000);
        Expect.That(await run.DeadLetters.DiscardAsync("mail~1", default), "the head is discarded");
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("2"), default);
        await run.ClaimOneAsync("3");
    }

    private static async Task DeadInTheMiddleAsync(StoreRun run)
    {
        await run.RecordAsync(
            run.Waiting("1", line: Key),
            run.Dead("2", Key, DeadLetterReason.KeyBlocked),
            run.Waiting("3", line: Key),
            run.Dead("4", Key, DeadLetterReason.KeyBlocked),
            run.Dead("5", Key, DeadLetterReason.KeyBlocked));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("6", Key));
        var head = await run.ClaimOneAsync("1");
        Expect.That(await run.DeadLetters.DiscardAsync("mail~4", default), "a dead one in the middle is discarded");
        Expect.That(await run.DeadLetters.RetryAsync("mail~5", run.Now, default), "a dead one in the middle is retried");
        await run.ExpectDueAsync([], "while the head runs", 30);
        await run.Failures.CompleteAsync(head, default);
        await run.ExpectDueAsync([], "while the next one is dead", 1_000_000);
        Expect.That(await run.DeadLetters.RetryAsync("mail~2", run.Now, default), "the dead one is retried at the head");
        foreach (var id in new[] { "2", "3", "5", "6" })
        {
            await run.Failures.CompleteAsync(await run.ClaimOneAsync(id), default);
        }
    }

    private static async Task LeftAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1", line: Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("2", Key));
        var head = await run.ClaimOneAsync("1");
        Expect.That(
            await run.Failures.RecordAsync(head with { Status = FailedEventStatus.Dead, LineKey = null }, default),
            "the head becomes a dead letter and leaves the line");
        head = await run.ClaimOneAsync("2");
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("3", Key));
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred("2", "o") with { Claim = head.Claim, LineKey = Key }, 0, 10, default),
            "the answer to deferring the head, which leaves the line");
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("3"), default);
        await run.ExpectParkAsync(ParkOutcome.NotBlocked, run.Parked("4", Key));
        await run.ExpectDeadAsync(["1"], "at the end");
        Expect.That(await run.DeadLetters.RetryAsync("mail~1", run.Now, default), "the entry that left the line is retried");
        await run.ClaimOneAsync("1");
    }

    private static async Task ApartAsync(StoreRun run)
    {
        // The pairs differ, but some are equal if subscription and key are joined without care.
        (string Subscription, string Key)[] lines =
        [
            .. Sample.UnusualKeys.Select(key => ("mail", key)),
            ("mail.a", "b"),
            ("mail", "a.b"),
            ("mail-a", "b"),
            ("mail", "a-b"),
            ("mail", ""),
            ("stock", "a")
        ];
        var subscriptions = lines.Select(line => line.Subscription).Distinct().ToList();
        foreach (var (subscription, key) in lines)
        {
            await run.ExpectParkAsync(ParkOutcome.NotBlocked, run.Parked("early", key) with { Subscription = subscription });
            await run.RecordAsync(Head(subscription, key));
            await run.ExpectParkAsync(
                ParkOutcome.Parked,
                run.Parked($"parked {Uri.EscapeDataString(key)}", key) with { Subscription = subscription });
        }

        var heads = (await run.Failures.ClaimDueAsync(subscriptions, run.Now, StoreRun.Lease, 100, default)).Entries;
        Expect.Sequence(
            lines.Select(line => Head(line.Subscription, line.Key).Id).Order(StringComparer.Ordinal),
            heads.Select(head => head.Id).Order(StringComparer.Ordinal),
            "the heads of all lines");
        for (var i = 0; i < heads.Count; i++)
        {
            await run.Failures.CompleteAsync(heads[i], default);
            var next = (await run.Failures.ClaimDueAsync(subscriptions, run.Now, StoreRun.Lease, 100, default)).Entries;
            Expect.Sequence(
                [$"{heads[i].Subscription}~parked {Uri.EscapeDataString(heads[i].LineKey!)}"],
                next.Select(entry => entry.Id),
                $"the entry that follows the head of '{heads[i].LineKey}' in {heads[i].Subscription}");
        }

        FailedEvent Head(string subscription, string key) =>
            run.Waiting($"head {Uri.EscapeDataString(key)}", line: key) with { Subscription = subscription };
    }

    private static async Task RacesAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        for (var round = 0; round < 50; round++)
        {
            await run.RecordAsync(run.Waiting($"head {round}", line: Key));
            var head = await run.ClaimOneAsync($"head {round}");
            var completion = run.Failures.CompleteAsync(head, default).AsTask();
            var parking = Enumerable.Range(0, 2)
                .Select(i => other.TryParkAsync(run.Parked($"parked {round} {i}", Key), 10, default).AsTask())
                .ToList();
            await completion;
            var parked = (await Task.WhenAll(parking)).Count(outcome => outcome == ParkOutcome.Parked);

            for (var i = 0; i < parked; i++)
            {
                var due = await run.ClaimAsync();
                Expect.Equal(
                    1,
                    due.Count,
                    $"the number of due entries of {parked} that were parked while the head left, after {i} of them");
                await run.Failures.CompleteAsync(due[0], default);
            }

            Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries after a round");
        }
    }
}
