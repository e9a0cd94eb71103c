namespace EventBus.Conformance;

/// <summary>Tests the search for sagas by the event that they wait for.</summary>
internal static class SagaWaitScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-waiting",
            "A saga that waits for a key is found by exactly this key, and only while it waits, so that a reply reaches the sagas that "
                + "wait for it and no others.",
            WaitingAsync) { SkipUnless = StoreRule.Sagas },
    ];

    private static async Task WaitingAsync(StoreRun run)
    {
        foreach (var (key, i) in Sample.UnusualKeys.Append("")
            .Append("trip~order.paid~1")
            .Append("trip~order.paid~12")
            .Append("trip~order.paid")
            .Select((key, i) => (key, i)))
        {
            await run.Sagas.CreateAsync(run.Saga($"first {i}") with { WaitKey = key }, default);
            await run.Sagas.CreateAsync(run.Saga($"second {i}", saga: "other") with { WaitKey = key }, default);
            await run.Sagas.CreateAsync(run.Saga($"none {i}"), default);
            Expect.Sequence(
                [$"first {i}", $"second {i}"],
                await run.Sagas.FindWaitingAsync(key, 10, default),
                $"the sagas that wait for '{key}', while others wait for other keys");
        }

        foreach (var key in new[] { "trip~order.paid~", "trip", "b", "ä ", "%", "kk", "/", "trip~order.paid~2" })
        {
            Expect.Equal(0, (await run.Sagas.FindWaitingAsync(key, 10, default)).Count, $"the number of sagas that wait for '{key}'");
        }

        Expect.Sequence(["first 0"], await run.Sagas.FindWaitingAsync("a", 1, default), "the first that waits for 'a'");
        var first = (await run.Sagas.FindAsync("first 0", default))!;
        Expect.That(
            await run.Sagas.SaveAsync(first with { WaitKey = "moved", Content = "{}"u8.ToArray() }, default),
            "the saga waits for another key");
        Expect.Sequence(["second 0"], await run.Sagas.FindWaitingAsync("a", 10, default), "the sagas that wait for 'a' then");
        Expect.Sequence(["first 0"], await run.Sagas.FindWaitingAsync("moved", 10, default), "the sagas that wait for the other key");
        Expect.That(await run.Sagas.SaveAsync(first with { Version = 2, WaitKey = null }, default), "the saga waits for nothing");
        Expect.Equal(
            0,
            (await run.Sagas.FindWaitingAsync("moved", 10, default)).Count,
            "the number of sagas that wait for the other key then");
    }
}
