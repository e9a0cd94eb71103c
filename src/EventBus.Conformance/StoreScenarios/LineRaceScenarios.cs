using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests races of a line: an event is parked while the head leaves.</summary>
internal static class LineRaceScenarios
{
    private const string Key = "k";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "line-races",
            "An event that is parked while the head leaves is either parked and then due, or may run at once, so that no event is left "
                + "behind.",
            RacesAsync) { SkipUnless = StoreRule.Failures },
    ];

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
