using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Provides the rules that skip scenarios which stores do not support. A rule returns the reason to skip; null to run
/// the scenario.
/// </summary>
internal static class StoreRule
{
    public static Func<StoreBackend, BusStores, string?> Failures { get; } = Needs(
        stores => stores.Failures is KeyedFailureStore,
        "The package keeps no failed events by id and key.");

    public static Func<StoreBackend, BusStores, string?> Delays { get; } = Needs(
        stores => stores.Delays is not null,
        "The package keeps no delayed events.");

    public static Func<StoreBackend, BusStores, string?> Processed { get; } = Needs(
        stores => stores.Processed is not null,
        "The package does not know what was handled.");

    public static Func<StoreBackend, BusStores, string?> Sagas { get; } = Needs(
        stores => stores.Sagas is not null,
        "The package keeps no sagas.");

    public static Func<StoreBackend, BusStores, string?> Subscriptions { get; } = Needs(
        stores => stores.Subscriptions is not null,
        "The package does not remember subscriptions.");

    public static Func<StoreBackend, BusStores, string?> Transactions { get; } = Needs(
        stores => stores.Processed is { SupportsTransactions: true },
        "The store offers handlers no transaction.");

    public static Func<StoreBackend, BusStores, string?> Durable { get; } = Needs(
        stores => stores.Durable,
        "The stores belong to one process and end with it.");

    public static Func<StoreBackend, BusStores, string?> CanCorrupt { get; } = Can(
        backend => backend.CanCorrupt,
        "This run has no way to damage what is stored.");

    public static Func<StoreBackend, BusStores, string?> CanBreak { get; } = Can(
        backend => backend.CanBreak,
        "This run has no way to make the stores fail.");

    /// <summary>Combines rules. The first reason to skip is returned.</summary>
    public static Func<StoreBackend, BusStores, string?> All(params Func<StoreBackend, BusStores, string?>[] rules) =>
        (backend, stores) => rules.Select(rule => rule(backend, stores)).FirstOrDefault(reason => reason is not null);

    private static Func<StoreBackend, BusStores, string?> Needs(Func<BusStores, bool> condition, string reason) =>
        (_, stores) => condition(stores) ? null : reason;

    private static Func<StoreBackend, BusStores, string?> Can(Func<StoreBackend, bool> ability, string reason) =>
        (backend, _) => ability(backend) ? null : reason;
}
