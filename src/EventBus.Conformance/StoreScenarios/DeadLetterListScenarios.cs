using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the lists of dead letters: filters, counts, pages and ids.</summary>
internal static class DeadLetterListScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "dead-letter-filters",
            "Dead letters are listed, the latest first, and counted by subscription, event, id and reason, so that an incident can be "
                + "worked off part by part.",
            FiltersAsync) { SkipUnless = StoreRule.Failures },
        new(
            "dead-letter-pages",
            "A listing that continues from page to page repeats no entry and misses none while dead letters are added and removed, so that "
                + "operators see all of them.",
            PagesAsync) { SkipUnless = StoreRule.Failures },
        new(
            "dead-letter-ids",
            "Ids of dead letters are listed without their bodies, the oldest first and page by page, so that all are retried in bounded "
                + "memory, each once.",
            ListIdsAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task FiltersAsync(StoreRun run)
    {
        for (var i = 0; i < 3; i++)
        {
            await run.RecordAsync(
                run.Dead($"{i}"),
                run.Dead($"{i}", reason: DeadLetterReason.PermanentFailure) with { Subscription = "stock" },
                run.Dead($"paid-{i}", reason: DeadLetterReason.KeyBlocked) with { Envelope = Sample.Event($"paid-{i}", "invoice.paid") });
        }

        await run.RecordAsync(run.Waiting("waiting"), run.Waiting("1") with { Subscription = "mail.b" });
        await ExpectAsync(
            ["mail~paid-2", "stock~2", "mail~2", "mail~paid-1", "stock~1", "mail~1", "mail~paid-0", "stock~0", "mail~0"],
            new DeadLetterFilter());
        await ExpectAsync(
            ["mail~paid-2", "mail~2", "mail~paid-1", "mail~1", "mail~paid-0", "mail~0"],
            new DeadLetterFilter { Subscription = "mail" });
        await ExpectAsync(["mail~paid-2", "mail~paid-1", "mail~paid-0"], new DeadLetterFilter { EventName = "invoice.paid" });
        await ExpectAsync(["stock~1", "mail~1"], new DeadLetterFilter { EventId = "1" });
        await ExpectAsync(["stock~2", "stock~1", "stock~0"], new DeadLetterFilter { Reason = DeadLetterReason.PermanentFailure });
        await ExpectAsync(["mail~2", "mail~1", "mail~0"], new DeadLetterFilter { Reason = DeadLetterReason.HandlerFailed });
        await ExpectAsync(["stock~2"], new DeadLetterFilter
        {
            Subscription = "stock",
            EventName = "order.placed",
            EventId = "2",
            Reason = DeadLetterReason.PermanentFailure
        });
        await ExpectAsync([], new DeadLetterFilter { Subscription = "stock", Reason = DeadLetterReason.KeyBlocked });
        await ExpectAsync([], new DeadLetterFilter { Subscription = "mai" });
        await ExpectAsync([], new DeadLetterFilter { EventName = "invoice.%" });

        var filter = new DeadLetterFilter { Subscription = "stock", Take = 2 };
        var page = await run.DeadLetters.ListAsync(filter, default);
        Expect.Sequence(["stock~2", "stock~1"], page.Select(dead => dead.Id), "the first page of two");
        filter = filter with { Before = page[1].Number };
        Expect.Sequence(["stock~0"], (await run.DeadLetters.ListAsync(filter, default)).Select(dead => dead.Id), "the second page of two");
        Expect.Equal(3, await run.DeadLetters.CountAsync(filter, default), "the count, which ignores paging");

        async Task ExpectAsync(string[] expected, DeadLetterFilter filter)
        {
            Expect.Sequence(expected, (await run.DeadLetters.ListAsync(filter, default)).Select(dead => dead.Id), $"the list for {filter}");
            Expect.Equal(expected.Length, await run.DeadLetters.CountAsync(filter, default), $"the count for {filter}");
        }
    }

    private static async Task PagesAsync(StoreRun run)
    {
        await run.RecordAsync([.. Enumerable.Range(0, 9).Select(i => run.Dead($"{i}"))]);
        var seen = new List<string>();
        var filter = new DeadLetterFilter { Take = 3 };
        var page = 0;
        while (true)
        {
            var letters = await run.DeadLetters.ListAsync(filter, default);
            Expect.That(
                letters.Zip(letters.Skip(1)).All(pair => pair.First.Number > pair.Second.Number),
                "numbers that decrease",
                string.Join(", ", letters.Select(dead => dead.Number)));
            seen.AddRange(letters.Select(dead => dead.Envelope.Id));
            if (letters.Count == 0)
            {
                break;
            }

            // The last dead letter of this page marks the start of the next one.
            filter = filter with { Before = letters[^1].Number };

            // Discards the first and the last one of this page, lets the second one fail again, and adds a new one.
            await run.DeadLetters.DiscardAsync(letters[0].Id, default);
            await run.DeadLetters.RetryAsync(letters[1].Id, run.Now, default);
            await run.Failures.RecordAsync((await run.ClaimAsync())[0] with { Status = FailedEventStatus.Dead }, default);
            await run.DeadLetters.DiscardAsync(letters[2].Id, default);
            await run.RecordAsync(run.Dead($"new {page}"));
            page++;
        }

        Expect.Sequence(
            ["8", "7", "6", "5", "4", "3", "2", "1", "0"],
            seen,
            "the dead letters on the pages while some were added and removed");
    }

    private static async Task ListIdsAsync(StoreRun run)
    {
        for (var i = 0; i < 6; i++)
        {
            await run.RecordAsync(run.Dead($"{i}", reason: i % 2 == 0 ? DeadLetterReason.HandlerFailed : DeadLetterReason.Unreadable));
        }

        await run.RecordAsync(run.Dead("0") with { Subscription = "stock" }, run.Waiting("waiting"));
        var all = (await run.DeadLetters.ListAsync(new DeadLetterFilter(), default)).Reverse()
            .Select(dead => (dead.Id, dead.Number))
            .ToList();
        Expect.Sequence(
            all,
            await run.DeadLetters.ListIdsAsync(new DeadLetterFilter(), 0, default),
            "all ids and numbers, the oldest first");
        Expect.Sequence(
            all[2..4],
            await run.DeadLetters.ListIdsAsync(new DeadLetterFilter { Take = 2 }, all[1].Number, default),
            "a page of two after the second");
        Expect.Sequence(
            all[2..4],
            await run.DeadLetters.ListIdsAsync(new DeadLetterFilter { Before = all[4].Number }, all[1].Number, default),
            "the dead letters between the second and the fifth");
        await ExpectAsync(["mail~1", "mail~3", "mail~5"], new DeadLetterFilter { Reason = DeadLetterReason.Unreadable });
        await ExpectAsync(["mail~1", "mail~3"], new DeadLetterFilter { Reason = DeadLetterReason.Unreadable, Take = 2 });
        await ExpectAsync(["stock~0"], new DeadLetterFilter { Subscription = "stock" });
        await ExpectAsync(["mail~0", "stock~0"], new DeadLetterFilter { EventId = "0" });
        await ExpectAsync([], new DeadLetterFilter { EventName = "invoice.paid" });

        Expect.Equal(
            3,
            await run.DeadLetters.RetryAllAsync(new DeadLetterFilter { Reason = DeadLetterReason.Unreadable }, run.Now, default),
            "the number of retried dead letters");
        Expect.Equal(
            4,
            await run.DeadLetters.RetryAllAsync(new DeadLetterFilter(), run.Now, default),
            "the number of retried dead letters");
        await run.ExpectDeadAsync([], "after all were retried");

        async Task ExpectAsync(string[] expected, DeadLetterFilter filter) =>
            Expect.Sequence(
                expected,
                (await run.DeadLetters.ListIdsAsync(filter, 0, default)).Select(found => found.Id),
                $"the ids for {filter}");
    }
}
