using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Represents a guarantee of a transport with the bus, and the run that tests it.</summary>
internal sealed class TransportScenario(string name, string reason, Func<ScenarioRun, Task> run, bool exclusive = false)
{
    /// <summary>The public description of the scenario.</summary>
    public Scenario Scenario { get; } = new(name, reason, exclusive);

    public Func<ScenarioRun, Task> Run => run;

    /// <summary>Returns the reason why the backend does not support the scenario; null if it does.</summary>
    public Func<Backend, TransportFeatures, string?> SkipUnless { get; init; } = (_, _) => null;
}
