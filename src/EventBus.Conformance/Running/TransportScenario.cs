using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Represents a guarantee of a transport with the bus, and the method that tests it.</summary>
internal sealed class TransportScenario(string name, string reason, Func<TransportRun, Task> run, bool exclusive = false)
{
    /// <summary>The public description of the scenario.</summary>
    public Scenario Scenario { get; } = new(name, reason, exclusive);

    public Func<TransportRun, Task> Run => run;

    /// <summary>
    /// Returns the reason to skip the scenario if the backend does not support it; otherwise null. Default: never
    /// skipped.
    /// </summary>
    public Func<Backend, TransportFeatures, string?> SkipUnless { get; init; } = (_, _) => null;
}
