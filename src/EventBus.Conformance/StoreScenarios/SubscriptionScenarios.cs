using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests the stored names of subscriptions: the data that a removed subscription leaves behind can be found by its
/// name.
/// </summary>
internal static class SubscriptionScenarios
{
    private const string Backend = "broker";
    private const string OtherService = "conformance-other";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "names-remembered",
            "Every application finds the subscriptions of all that share the stores, each with the time when it was last in use and for "
                + "its backend alone, until they are forgotten, also after every instance has ended, so that what a removed subscription "
                + "leaves behind can be named.",
            RememberedAsync)
        {
            SkipUnless = StoreRule.All(StoreRule.Durable, StoreRule.Subscriptions),
        },
    ];

    private static async Task RememberedAsync(StoreRun run)
    {
        var other = await run.OpenAsync(OtherService);
        await RecordAsync(other, run.Now, "mail");
        await RecordAsync(run.Stores, run.Now, "mail", "old-name.with_all");
        await run.Stores.Subscriptions!.RecordAsync("another-broker", ["elsewhere"], run.In(1), default);
        await RecordAsync(run.Stores, run.In(2), "mail");

        await run.ReopenAsync();

        (string Service, string Name, DateTimeOffset LastSeen)[] all =
        [
            new(StoreBackend.ServiceName, "mail", run.In(2)),
            new(StoreBackend.ServiceName, "old-name.with_all", run.Now),
            new(OtherService, "mail", run.Now),
        ];
        Expect.Sequence(all, await RecordAsync(run.Stores, run.In(3)), "the subscriptions that are remembered");

        await run.Stores.Subscriptions!.ForgetAsync(Backend, StoreBackend.ServiceName, "old-name.with_all", default);
        await run.Stores.Subscriptions.ForgetAsync(Backend, OtherService, "mail", default);
        await run.Stores.Subscriptions.ForgetAsync(Backend, "never-there", "mail", default);
        Expect.Sequence(all[..1], await RecordAsync(run.Stores, run.In(3)), "the recorded subscriptions after two were removed");
    }

    /// <summary>Records that subscriptions are in use, and returns all that are recorded for the backend.</summary>
    private static async Task<IEnumerable<(string Service, string Name, DateTimeOffset LastSeen)>> RecordAsync(
        BusStores stores,
        DateTimeOffset now,
        params string[] subscriptions)
    {
        var all = await stores.Subscriptions!.RecordAsync(Backend, subscriptions, now, default);
        return all.OrderBy(found => found.Service, StringComparer.Ordinal).ThenBy(found => found.Name, StringComparer.Ordinal);
    }
}
