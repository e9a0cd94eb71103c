namespace EventBus.Conformance;

/// <summary>Tests repeated claims of sagas, as <see cref="RepeatScenarios"/> does for entries.</summary>
internal static class SagaRepeatScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "repeated-claim-saga",
            "A claim of a saga that is repeated because its answer was lost holds for a whole lease from the repeat, so that no outage "
                + "lets two instances run one step side by side.",
            SagaAsync) { SkipUnless = StoreRule.Sagas },
    ];

    private static async Task SagaAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Sagas!;
        for (var i = 0; i < 4; i++)
        {
            foreach (var at in LostAnswer.RepeatTimes)
            {
                var id = $"{i} {at}";
                var name = $"trip-{i}-{at}";
                await run.Sagas.CreateAsync(run.Saga(id, 0, name), default);
                var found = (await run.Sagas.FindAsync(id, default))!;
                var claim = found with { DueAt = run.In(60), Claim = found.Claim + 1 };
                await LostAnswer.ClaimAndCancelAsync(i, token => run.Sagas.SaveAsync(claim, token).AsTask());

                // A claim saves the version that was read: an instance that does not know the result of its claim reads
                // the saga again.
                var current = (await run.Sagas.FindAsync(id, default))!;
                Expect.That(
                    await run.Sagas.SaveAsync(current with { DueAt = run.In(at + 60), Claim = current.Claim + 1 }, default),
                    $"the claim of a saga is granted after {at} s");
                Expect.Equal(
                    0,
                    (await other.ListDueAsync([name], run.In(at + 59), 10, default)).Entries.Count,
                    $"the number of sagas that are due for another {at + 59} s after the first claim, whose repeat was granted after "
                        + $"{at} s");
                Expect.That(
                    !await other.SaveAsync(current with { DueAt = run.In(999) }, default),
                    "a claim of the version before the repeat is refused");
            }
        }
    }
}
