using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Provides the rules that skip scenarios which a backend does not support. A rule returns the reason to skip; null to
/// run the scenario.
/// </summary>
internal static class TransportRule
{
    public static Func<Backend, TransportFeatures, string?> Ordered { get; } = Needs(
        features => features.Ordered,
        "The backend does not keep the order of its log.");

    public static Func<Backend, TransportFeatures, string?> Redelivers { get; } = Needs(
        features => features.Redelivers,
        "The backend delivers each event once and has no release.");

    public static Func<Backend, TransportFeatures, string?> Durable { get; } = Needs(
        features => features.Durable,
        "The backend keeps nothing after the process ends.");

    public static Func<Backend, TransportFeatures, string?> SharesSubscriptions { get; } = Needs(
        features => features.SharesSubscriptions,
        "The instances of a service do not share subscriptions on this backend.");

    /// <summary>
    /// Creates a rule that skips a scenario unless the features of the transport satisfy a condition.
    /// </summary>
    public static Func<Backend, TransportFeatures, string?> Needs(Func<TransportFeatures, bool> condition, string reason) =>
        (_, features) => condition(features) ? null : reason;

    /// <summary>Creates a rule that skips a scenario unless the backend under test has an ability.</summary>
    public static Func<Backend, TransportFeatures, string?> Can(Func<Backend, bool> ability, string reason) =>
        (backend, _) => ability(backend) ? null : reason;

    /// <summary>Combines rules. The first reason to skip is returned.</summary>
    public static Func<Backend, TransportFeatures, string?> All(params Func<Backend, TransportFeatures, string?>[] rules) =>
        (backend, features) => rules.Select(rule => rule(backend, features)).FirstOrDefault(reason => reason is not null);
}
