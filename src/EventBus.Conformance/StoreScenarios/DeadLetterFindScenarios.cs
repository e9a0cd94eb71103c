namespace EventBus.Conformance;

/// <summary>Tests the search for one dead letter by its id.</summary>
internal static class DeadLetterFindScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "dead-letter-find",
            "Only a dead letter is found by its id, no other entry, so that operators do not act on an event that is still being "
                + "processed.",
            FindAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task FindAsync(StoreRun run)
    {
        await run.RecordAsync(run.Dead("1"), run.Waiting("2"), run.Dead("3") with { Subscription = "stock" });
        Expect.Equal("mail~1", (await run.DeadLetters.FindAsync("mail~1", default))?.Id, "the dead letter that is found");
        Expect.Equal("stock~3", (await run.DeadLetters.FindAsync("stock~3", default))?.Id, "the dead letter that is found");
        foreach (var id in new[] { "mail~2", "mail~3", "stock~1", "mail", "1", "", "~", "nonsense", "mail~1~" })
        {
            Expect.That(await run.DeadLetters.FindAsync(id, default) is null, $"no dead letter is found by '{id}'");
        }

        await run.ClaimOneAsync("2");
        Expect.That(await run.DeadLetters.FindAsync("mail~2", default) is null, "no dead letter is found by the id of a running event");
    }
}
