using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Provides common rules that skip scenarios which a backend does not support.</summary>
internal static class Rule
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

    public static Func<Backend, TransportFeatures, string?> Needs(Func<TransportFeatures, bool> has, string reason) =>
        (_, features) => has(features) ? null : reason;

    public static Func<Backend, TransportFeatures, string?> Can(Func<Backend, bool> can, string reason) =>
        (backend, _) => can(backend) ? null : reason;

    /// <summary>Combines rules. The first reason to skip is returned.</summary>
    public static Func<Backend, TransportFeatures, string?> All(params Func<Backend, TransportFeatures, string?>[] rules) =>
        (backend, features) => rules.Select(rule => rule(backend, features)).FirstOrDefault(reason => reason is not null);
}
