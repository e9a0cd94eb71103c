using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Provides common rules that skip scenarios which stores do not support.</summary>
internal static class StoreRule
{
    public static Func<StoreBackend, BusStores, string?> Failures { get; } = (_, stores) => stores.Failures is not KeyedFailureStore
        ? "The package keeps no failed events by id and key."
        : null;

    public static Func<StoreBackend, BusStores, string?> Delays { get; } = (_, stores) => stores.Delays is null
        ? "The package keeps no delayed events."
        : null;

    public static Func<StoreBackend, BusStores, string?> Processed { get; } = (_, stores) => stores.Processed is null
        ? "The package does not know what was handled."
        : null;

    public static Func<StoreBackend, BusStores, string?> Sagas { get; } = (_, stores) => stores.Sagas is null
        ? "The package keeps no sagas."
        : null;

    public static Func<StoreBackend, BusStores, string?> Subscriptions { get; } = (_, stores) => stores.Subscriptions is null
        ? "The package does not remember subscriptions."
        : null;

    public static Func<StoreBackend, BusStores, string?> Transactions { get; } =
        (_, stores) => stores.Processed is { SupportsTransactions: false } ? "The store offers handlers no transaction." : null;

    public static Func<StoreBackend, BusStores, string?> Durable { get; } = (_, stores) => stores.Durable
        ? null
        : "The stores belong to one process and end with it.";

    public static Func<StoreBackend, BusStores, string?> CanCorrupt { get; } = (backend, _) => backend.CanCorrupt
        ? null
        : "This run has no way to damage what is stored.";

    public static Func<StoreBackend, BusStores, string?> CanBreak { get; } = (backend, _) => backend.CanBreak
        ? null
        : "This run has no way to make the stores fail.";

    /// <summary>Combines rules. The first reason to skip is returned.</summary>
    public static Func<StoreBackend, BusStores, string?> All(params Func<StoreBackend, BusStores, string?>[] rules) =>
        (backend, stores) => rules.Select(rule => rule(backend, stores)).FirstOrDefault(reason => reason is not null);
}
