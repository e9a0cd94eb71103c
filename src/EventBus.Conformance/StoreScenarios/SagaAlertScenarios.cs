namespace EventBus.Conformance;

/// <summary>Tests the search for sagas whose alert is due.</summary>
internal static class SagaAlertScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-alerts",
            "Sagas that need attention are listed when their alert is due, the oldest first and with any name, until the alert is sent, so "
                + "that no alert is lost.",
            AlertsAsync) { SkipUnless = StoreRule.Sagas },
    ];

    private static async Task AlertsAsync(StoreRun run)
    {
        foreach (var (id, name, at) in new (string, string, double?)[]
        {
            ("1", "trip", 10),
            ("2", "refund", 5),
            ("3", "trip", null),
            ("4", "trip", 30),
            ("5", "refund", 10)
        })
        {
            await run.Sagas.CreateAsync(
                run.Saga(id, 0, name, SagaStatus.NeedsAttention) with { AlertAt = run.In(at) },
                default);
        }

        await ExpectAlertsAsync(4.999, 10, [], 5);
        await ExpectAlertsAsync(10, 2, ["2", "1"], 10);
        await ExpectAlertsAsync(10, 10, ["2", "1", "5"], 30);

        var alerts = (await run.Sagas.ListAlertsAsync(run.In(10), 10, default)).Entries;
        Expect.That(await run.Sagas.SaveAsync(alerts[0] with { AlertAt = run.In(70) }, default), "the first alert is claimed");
        Expect.That(await run.Sagas.SaveAsync(alerts[1] with { AlertAt = null }, default), "the alert of the second was sent");
        await ExpectAlertsAsync(10, 10, ["5"], 30);
        await ExpectAlertsAsync(70, 10, ["5", "4", "2"], null);

        async Task ExpectAlertsAsync(double at, int max, string[] ids, double? next)
        {
            var batch = await run.Sagas.ListAlertsAsync(run.In(at), max, default);
            Expect.Sequence(ids, batch.Entries.Select(entry => entry.Id), $"the first {max} alerts after {at} s");
            Expect.Equal(
                run.In(next),
                batch.NextDue,
                $"when the next alert is after {max} of those after {at} s");
        }
    }
}
